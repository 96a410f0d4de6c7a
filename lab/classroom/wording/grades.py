"""What histories, marks and gradebooks say."""

from __future__ import annotations

TEXTS: dict[str, dict[str, str]] = {
    # Moodle's own words, so that whoever maps the columns of an import finds them.
    "grades.moodle_email": {"en": "Email address", "es": "Dirección de correo"},
    "grades.moodle_id_number": {"en": "ID number", "es": "Número de ID"},
    "grades.moodle_feedback": {"en": "Feedback: {lab}", "es": "Retroalimentación: {lab}"},
    "grades.checks": {
        "en": "{passed}/{evaluated} checks",
        "es": "{passed}/{evaluated} comprobaciones",
    },
    "grades.failed": {"en": "Failed: {titles}", "es": "Fallidas: {titles}"},
    "grades.more": {"en": "{count} more", "es": "{count} más"},
    "grades.hidden_one": {"en": "a hidden check", "es": "una comprobación oculta"},
    "grades.hidden_many": {
        "en": "{count} hidden checks",
        "es": "{count} comprobaciones ocultas",
    },
    "grades.blocked": {
        "en": "Blocked by what failed: {count}",
        "es": "Bloqueadas por lo anterior: {count}",
    },
    "grades.unknown": {
        "en": "Not evaluated, not counted: {count}",
        "es": "Sin evaluar, no cuentan: {count}",
    },
    "grades.lab": {"en": "lab", "es": "lab"},
    "grades.login": {"en": "login", "es": "usuario"},
    "grades.name": {"en": "name", "es": "nombre"},
    "grades.mark": {"en": "mark (of {scale})", "es": "nota (sobre {scale})"},
    "grades.points": {"en": "points", "es": "puntos"},
    "grades.attempts": {"en": "attempts", "es": "intentos"},
    "grades.when": {"en": "when", "es": "cuándo"},
    "grades.of_points": {"en": "{score} of {points}", "es": "{score} de {points}"},
    "grades.not_evaluated_points": {
        "en": "{score} of {points}, {missing} not evaluated",
        "es": "{score} de {points}, {missing} sin evaluar",
    },
    "grades.no_attempt": {"en": "not evaluated", "es": "sin evaluar"},
    "grades.have_marks": {
        "en": "{marked} of {all} have a mark",
        "es": "{marked} de {all} tienen nota",
    },
    "grades.have_marks_in": {
        "en": "{lab}: {marked} of {all} have a mark",
        "es": "{lab}: {marked} de {all} tienen nota",
    },
    "grades.incomplete": {
        "en": "Not everything could be evaluated: {logins}. Their marks are out of what was.",
        "es": "No todo se pudo evaluar: {logins}. Su nota es sobre lo evaluado.",
    },
    "grades.only_mark": {"en": "mark", "es": "nota"},
    "grades.marks_of": {"en": "marks out of {scale}", "es": "notas sobre {scale}"},
    "grades.taken": {"en": "counts as", "es": "cuenta como"},
    "grades.changed": {"en": "what changed", "es": "qué ha cambiado"},
    "grades.machine": {"en": "machine", "es": "máquina"},
    "grades.made_anew": {
        "en": "The machine was made anew: what is above this line does not count.",
        "es": "La máquina se creó de nuevo: lo que está por encima de esta línea no cuenta.",
    },
    "grades.not_counted": {"en": "another machine's", "es": "de otra máquina"},
    "grades.anothers": {"en": "another person's: {name}", "es": "de otra persona: {name}"},
    "grades.last": {"en": "last", "es": "último"},
    "grades.best": {"en": "best", "es": "mejor"},
    "grades.none_yet": {
        "en": "On the machine that is there now nothing has been evaluated yet.",
        "es": "En la máquina que hay ahora aún no se ha evaluado nada.",
    },
    "grades.turned_passed": {"en": "passes now: {checks}", "es": "ya correctas: {checks}"},
    "grades.turned_failed": {"en": "fails now: {checks}", "es": "ahora fallidas: {checks}"},
    "grades.and_blocks": {"en": ", and blocks {count}", "es": ", y bloquea {count}"},
    "grades.earlier_machines": {
        "en": "Attempts on an earlier machine: {logins}. They do not count: lab history LOGIN",
        "es": "Intentos en una máquina anterior: {logins}. No cuentan: lab history LOGIN",
    },
}
