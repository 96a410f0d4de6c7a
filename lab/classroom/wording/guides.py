"""What the proof of a guide says: of each finding what was seen, and what to do about it."""

from __future__ import annotations

_ONLY_ITS_OWN = {
    "en": "Each `lab up` would take the step {step} for broken, and run it again: have it "
    "print only what nothing but that step owns.",
    "es": "Cada `lab up` daría el paso {step} por roto y lo volvería a ejecutar: haz que "
    "escriba solo lo que es únicamente de ese paso.",
}

TEXTS: dict[str, dict[str, str]] = {
    "guides.untouched": {"en": "an untouched machine", "es": "una máquina intacta"},
    "guides.column_step": {"en": "step", "es": "paso"},
    "guides.column_ran": {"en": "ran", "es": "ejecución"},
    "guides.column_again": {"en": "again", "es": "otra vez"},
    "guides.column_before": {"en": "checks before", "es": "comprobaciones antes"},
    "guides.column_after": {"en": "checks after", "es": "comprobaciones después"},
    "guides.column_seconds": {"en": "seconds", "es": "segundos"},
    "guides.ok": {"en": "ok", "es": "bien"},
    "guides.exit_code": {"en": "exit code {code}", "es": "código {code}"},
    "guides.unchanged": {"en": "nothing changed", "es": "nada cambió"},
    "guides.changed": {"en": "changed: {count}", "es": "cambios: {count}"},
    "guides.passed_of": {"en": "{passed} of {count}", "es": "{passed} de {count}"},
    "guides.proven": {
        "en": "{guide} is proven on {box}: each step runs twice and changes nothing the second "
        "time, and each check passes after its step and not before.",
        "es": "{guide} funciona en {box}: cada paso se puede ejecutar dos veces sin que la segunda "
        "cambie nada, y cada comprobación se cumple después de su paso y no antes.",
    },
    "guides.not_proven": {
        "en": "{guide} is not proven on {box}. Findings: {count}.",
        "es": "{guide} no está listo en {box}. Hallazgos: {count}.",
    },
    "guides.do": {"en": "do", "es": "qué hacer"},
    "guides.next": {
        "en": "Next: mend them, then lab guide test {guide}",
        "es": "Siguiente: corrígelos y después lab guide test {guide}",
    },
    "guides.more_details": {"en": "and {count} more", "es": "y {count} más"},
    # What is to be seen without running anything.
    "guides.guide.language": {
        "en": "The guide has no title in: {languages}",
        "es": "La guía no tiene título en: {languages}",
    },
    "guides.guide.language.do": {
        "en": "Add it to `title` in guide.yaml.",
        "es": "Añádelo a `title` en guide.yaml.",
    },
    "guides.guide.pointless": {
        "en": "No check of the guide is worth a point, so everybody has 0 of 0",
        "es": "Ninguna comprobación de la guía vale puntos: todo el mundo tendrá 0 de 0",
    },
    "guides.guide.pointless.do": {
        "en": "Give checks `points` in their mark.",
        "es": "Da `points` a las comprobaciones en su marca.",
    },
    "guides.guide.unchecked": {
        "en": "The guide has no checks: nobody's work is seen",
        "es": "La guía no tiene comprobaciones: nadie verá qué está hecho",
    },
    "guides.guide.unchecked.do": {
        "en": "Write checks/test_STEP.py for each step: docs/guides.md shows how.",
        "es": "Escribe checks/test_PASO.py para cada paso: docs/guides.md dice cómo.",
    },
    "guides.step.language": {
        "en": "The step {step} has no title in: {languages}",
        "es": "El paso {step} no tiene título en: {languages}",
    },
    "guides.step.language.do": {
        "en": "Add it to the step's `title` in guide.yaml.",
        "es": "Añádelo al `title` del paso en guide.yaml.",
    },
    "guides.step.unchecked": {
        "en": "The student step {step} has no check: nobody's work on it is seen",
        "es": "El paso de estudiante {step} no tiene comprobaciones: nadie verá si está hecho",
    },
    "guides.step.unchecked.do": {
        "en": 'Write one with step="{step}" in checks/test_{step}.py.',
        "es": 'Escribe una con step="{step}" en checks/test_{step}.py.',
    },
    "guides.check.language": {
        "en": "{check} has no {words} in: {languages}",
        "es": "{check} no tiene {words} en: {languages}",
    },
    "guides.check.language.do": {
        "en": "Add it in the check's mark.",
        "es": "Añádelo en la marca de la comprobación.",
    },
    "guides.check.unusable": {
        "en": "A check cannot be used: {message}",
        "es": "Una comprobación no se puede usar: {message}",
    },
    "guides.check.unusable.do": {
        "en": "Mend it in checks/: until then it is nobody's point.",
        "es": "Corrígela en checks/: hasta entonces no dará puntos a nadie.",
    },
    # What the machine showed.
    "guides.check.unfinished": {
        "en": "Not all checks could be run on {where}: {message}",
        "es": "No se pudieron ejecutar todas las comprobaciones en {where}: {message}",
    },
    "guides.check.unfinished.do": {
        "en": "Mend what it says in checks/; what was not run is not proven.",
        "es": "Corrige lo que dice en checks/; lo que no se ejecutó no queda probado.",
    },
    "guides.check.missing": {
        "en": "{check} has no result after the step {after}",
        "es": "{check} no tiene resultado después del paso {after}",
    },
    "guides.check.missing.do": {
        "en": "Have checks/ define it always, whatever they find on the machine or this computer.",
        "es": "Haz que checks/ la defina siempre, haya lo que haya en la máquina o en este "
        "ordenador.",
    },
    "guides.check.proves_nothing": {
        "en": "{check} passes on an untouched machine, so it proves nothing",
        "es": "{check} se cumple en una máquina intacta, así que no demuestra nada",
    },
    "guides.check.proves_nothing.do": {
        "en": "Ask for something that only the step {step} brings about; or, where it says what "
        "must not be, name in `after` the check without which it means nothing.",
        "es": "Pide algo que solo el paso {step} consiga; o, si dice lo que no debe haber, nombra "
        "en `after` la comprobación sin la que no significa nada.",
    },
    "guides.check.early": {
        "en": "{check} passes after the step {after} already, and belongs to the step {step}",
        "es": "{check} ya se cumple después del paso {after}, y es del paso {step}",
    },
    "guides.check.early.do": {
        "en": "Bind it to the step {after}, ask for what only the step {step} brings about, or "
        "name in `after` the check without which it means nothing.",
        "es": "Asígnala al paso {after}, pide lo que solo el paso {step} consigue, o nombra en "
        "`after` la comprobación sin la que no significa nada.",
    },
    "guides.check.not_passed": {
        "en": "{check} does not pass after its step {step}: {message}",
        "es": "{check} no se cumple después de su paso {step}: {message}",
    },
    "guides.check.not_passed.do": {
        "en": "Mend steps/{step}.sh, or what the check asks for.",
        "es": "Corrige steps/{step}.sh, o lo que pide la comprobación.",
    },
    "guides.check.lost": {
        "en": "{check} passed after its step {step}, and no more after the step {after}: {message}",
        "es": "{check} se cumplía después de su paso {step}, y ya no después del paso {after}: "
        "{message}",
    },
    "guides.check.lost.do": {
        "en": "See what steps/{after}.sh does to what the step {step} had made.",
        "es": "Mira qué le hace steps/{after}.sh a lo que el paso {step} había hecho.",
    },
    "guides.check.lost_again": {
        "en": "{check} passed after its step {step}, and no more after the second run of the step "
        "{after}: {message}",
        "es": "{check} se cumplía después de su paso {step}, y ya no después de la segunda "
        "ejecución del paso {after}: {message}",
    },
    "guides.check.lost_again.do": {
        "en": "See what steps/{after}.sh does where all is done already.",
        "es": "Mira qué hace steps/{after}.sh cuando ya está todo hecho.",
    },
    "guides.check.unknown": {
        "en": "{check} could not be evaluated on {where}: {message}",
        "es": "{check} no se pudo evaluar en {where}: {message}",
    },
    "guides.check.unknown.do": {
        "en": "Have it fail with `expect` where something is missing, or name in `after` the check "
        "without which it cannot look.",
        "es": "Haz que falle con `expect` si falta algo, o nombra en `after` la comprobación sin "
        "la que no puede mirar.",
    },
    "guides.after_step": {
        "en": "the machine after the step {step}",
        "es": "la máquina después del paso {step}",
    },
    "guides.step.failed": {
        "en": "The step {step} ended with exit code {code}; what comes after it was not tried",
        "es": "El paso {step} terminó con el código {code}; lo que viene después no se probó",
    },
    "guides.step.failed.do": {
        "en": "Mend steps/{step}.sh, or what it says is missing.",
        "es": "Corrige steps/{step}.sh, o lo que dice que falta.",
    },
    "guides.step.failed_again": {
        "en": "The step {step} ended with exit code {code} when it was run a second time",
        "es": "El paso {step} terminó con el código {code} al ejecutarse por segunda vez",
    },
    "guides.step.failed_again.do": {
        "en": "Have steps/{step}.sh look first whether a thing is done already.",
        "es": "Haz que steps/{step}.sh mire antes si algo ya está hecho.",
    },
    "guides.step.changed": {
        "en": "The step {step} changed things when it was run a second time: {count}",
        "es": "El paso {step} cambió cosas al ejecutarse por segunda vez: {count}",
    },
    "guides.step.changed.do": {
        "en": "Have steps/{step}.sh do only what is not done already: each `lab up` may run it "
        "again.",
        "es": "Haz que steps/{step}.sh haga solo lo que aún no está hecho: cualquier `lab up` "
        "puede volver a ejecutarlo.",
    },
    "guides.step.restarted": {
        "en": "The step {step} restarted services when it was run a second time: {services}",
        "es": "El paso {step} reinició servicios al ejecutarse por segunda vez: {services}",
    },
    "guides.step.restarted.do": {
        "en": "Have steps/{step}.sh restart a service only when it has changed what that reads.",
        "es": "Haz que steps/{step}.sh reinicie un servicio solo si ha cambiado lo que este lee.",
    },
    "guides.step.stopped": {
        "en": "The step {step} stopped services when it was run a second time: {services}",
        "es": "El paso {step} paró servicios al ejecutarse por segunda vez: {services}",
    },
    "guides.step.stopped.do": {
        "en": "Have steps/{step}.sh leave what it starts running at its end, each time.",
        "es": "Haz que steps/{step}.sh deje siempre en marcha al terminar lo que arranca.",
    },
    "guides.step.other_state": {
        "en": "steps/{step}.state.sh printed something else after the second run of its step",
        "es": "steps/{step}.state.sh escribió otra cosa después de la segunda ejecución de su paso",
    },
    "guides.step.other_state.do": _ONLY_ITS_OWN,
    "guides.step.unsettled": {
        "en": "steps/{step}.state.sh prints something else after the step {after} than when its "
        "own step ended",
        "es": "steps/{step}.state.sh escribe después del paso {after} otra cosa que cuando terminó "
        "su propio paso",
    },
    "guides.step.unsettled.do": _ONLY_ITS_OWN,
}
