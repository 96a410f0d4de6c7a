"""What stands for a check that did not pass, beside its author's own words."""

from __future__ import annotations

TEXTS: dict[str, dict[str, str]] = {
    "checks.as_expected": {
        "en": "expected {expected}; found {found}",
        "es": "se esperaba {expected}; se encontró {found}",
    },
    "checks.nothing_found": {"en": "nothing", "es": "nada"},
    "checks.other_than": {
        "en": "something other than {value}",
        "es": "algo distinto de {value}",
    },
    "checks.less_than": {"en": "less than {value}", "es": "menos de {value}"},
    "checks.at_most": {"en": "at most {value}", "es": "como máximo {value}"},
    "checks.more_than": {"en": "more than {value}", "es": "más de {value}"},
    "checks.at_least": {"en": "at least {value}", "es": "como mínimo {value}"},
    "checks.one_of": {"en": "one of {values}", "es": "uno de {values}"},
    "checks.none_of": {"en": "none of {values}", "es": "ninguno de {values}"},
    "checks.something_with": {"en": "something with {value}", "es": "algo que contenga {value}"},
    "checks.nothing_with": {"en": "nothing with {value}", "es": "nada que contenga {value}"},
    "checks.blocked_by": {"en": "blocked by {ids}", "es": "bloqueada por {ids}"},
    "checks.behind_unknown": {
        "en": "could not be evaluated: {ids}",
        "es": "no se pudo evaluar: {ids}",
    },
    "checks.behind_unread": {
        "en": "a check that it depends on could not be read",
        "es": "no se pudo leer una comprobación de la que depende",
    },
    "checks.does_not_hold": {
        "en": "the check's condition does not hold",
        "es": "la condición de la comprobación no se cumple",
    },
    "checks.not_evaluated": {"en": "not evaluated: {why}", "es": "no evaluada: {why}"},
    "checks.too_slow": {
        "en": "the machine took longer than {seconds} s over `{command}`",
        "es": "la máquina tardó más de {seconds} s con `{command}`",
    },
    "checks.reboots": {
        "en": "the machine to reboot within {seconds} s",
        "es": "que la máquina se reiniciara en menos de {seconds} s",
    },
    "checks.went_wrong": {
        "en": "the check itself went wrong: {why}",
        "es": "la propia comprobación ha fallado: {why}",
    },
    "checks.unreadable": {
        "en": "{where} could not be read",
        "es": "{where} no se pudo leer",
    },
    "checks.connection_lost": {
        "en": "no SSH connection to the machine: {why}",
        "es": "no hay conexión SSH con la máquina: {why}",
    },
    "checks.silent": {
        "en": "the machine's checks were silent for {seconds} s and were stopped",
        "es": "las comprobaciones de la máquina llevaban {seconds} s sin responder y se detuvieron",
    },
    "checks.fork_died": {
        "en": "the process that checked this machine died",
        "es": "el proceso que comprobaba esta máquina murió",
    },
    "checks.unfinished": {
        "en": "The checks could not be finished",
        "es": "Las comprobaciones no se pudieron terminar",
    },
    "checks.process_ended": {
        "en": "the process that runs the checks ended too soon, with exit code {code}",
        "es": "el proceso que ejecuta las comprobaciones terminó antes de tiempo, "
        "con código de salida {code}",
    },
    "checks.process_killed": {
        "en": "the process that runs the checks was killed by {signal}",
        "es": "el proceso que ejecuta las comprobaciones murió por la señal {signal}",
    },
    "checks.process_too_long": {
        "en": "the checks took longer than {minutes} minutes and were stopped",
        "es": "las comprobaciones tardaron más de {minutes} minutos y se detuvieron",
    },
    "checks.no_machine": {
        "en": "there is no machine yet: lab up",
        "es": "todavía no hay máquina: lab up",
    },
    "checks.not_running": {
        "en": "the machine is {state}: lab up",
        "es": "la máquina está {state}: lab up",
    },
    "checks.state_stopped": {"en": "stopped", "es": "parada"},
    "checks.state_unknown": {
        "en": "neither running nor stopped",
        "es": "ni en marcha ni parada",
    },
    "checks.no_address": {
        "en": "the machine has no address",
        "es": "la máquina no tiene dirección",
    },
    "checks.hidden": {"en": "A hidden check", "es": "Una comprobación oculta"},
    "checks.lost": {
        "en": "Some checks could not be run",
        "es": "Algunas comprobaciones no se pudieron hacer",
    },
}
