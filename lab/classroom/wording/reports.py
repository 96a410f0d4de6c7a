"""What reports say of a class. `_one` and `_many` of a key are for one thing and for several."""

from __future__ import annotations

_OUTCOMES: dict[str, dict[str, str]] = {
    "reports.check_passed": {"en": "passed", "es": "correcta"},
    "reports.check_failed": {"en": "failed", "es": "fallida"},
    "reports.check_blocked": {"en": "blocked", "es": "bloqueada"},
    "reports.check_unknown": {"en": "not evaluated", "es": "sin evaluar"},
    "reports.student_passed": {"en": "passed", "es": "correcto"},
    "reports.student_failed": {"en": "failed", "es": "con fallos"},
    "reports.student_blocked": {"en": "blocked", "es": "bloqueado"},
    "reports.student_unknown": {"en": "unknown", "es": "sin evaluar"},
    "reports.count_failed_one": {"en": "{n} failed", "es": "{n} fallida"},
    "reports.count_failed_many": {"en": "{n} failed", "es": "{n} fallidas"},
    "reports.count_blocked_one": {"en": "{n} blocked", "es": "{n} bloqueada"},
    "reports.count_blocked_many": {"en": "{n} blocked", "es": "{n} bloqueadas"},
    "reports.count_unknown_one": {"en": "{n} not evaluated", "es": "{n} sin evaluar"},
    "reports.count_unknown_many": {"en": "{n} not evaluated", "es": "{n} sin evaluar"},
}

_SCORES: dict[str, dict[str, str]] = {
    "reports.score_of": {"en": "{score} of {total}", "es": "{score} de {total}"},
    "reports.points_not_evaluated": {
        "en": "{missing} of {total} points not evaluated",
        "es": "{missing} de {total} puntos sin evaluar",
    },
    "reports.points_not_known": {
        "en": "how many points there are in all is not known",
        "es": "no se sabe cuántos puntos hay en total",
    },
    "reports.of_points": {
        "en": "{missing} of {total} points",
        "es": "{missing} de {total} puntos",
    },
}

_TABLE: dict[str, dict[str, str]] = {
    "reports.login": {"en": "login", "es": "usuario"},
    "reports.name": {"en": "name", "es": "nombre"},
    "reports.score": {"en": "score", "es": "puntos"},
    "reports.outcome": {"en": "outcome", "es": "resultado"},
    "reports.not_passed": {"en": "not passed", "es": "le falta"},
    "reports.steps": {"en": "Steps", "es": "Pasos"},
    "reports.legend_passed": {"en": "all passed", "es": "todo correcto"},
    "reports.legend_failed": {"en": "n failed", "es": "n fallidas"},
    "reports.legend_blocked": {"en": "blocked by a failure", "es": "bloqueada por un fallo"},
    "reports.legend_unknown": {"en": "not evaluated", "es": "sin evaluar"},
    "reports.nothing_verified": {
        "en": "Nothing was verified: no lab has a student.",
        "es": "No se ha comprobado nada: ningún lab tiene estudiantes.",
    },
    "reports.no_students": {"en": "no students", "es": "sin estudiantes"},
    "reports.no_check": {"en": "no check was run", "es": "no se hizo ninguna comprobación"},
    "reports.nothing_evaluated": {
        "en": "nothing was evaluated",
        "es": "no se evaluó nada",
    },
    "reports.hint_line": {"en": "hint: {hint}", "es": "pista: {hint}"},
    "reports.hidden": {"en": "hidden", "es": "oculta"},
    "reports.blocked_line_one": {"en": "blocked: {ids}", "es": "bloqueada: {ids}"},
    "reports.blocked_line_many": {"en": "blocked: {ids}", "es": "bloqueadas: {ids}"},
    "reports.by": {"en": "by {ids}", "es": "por {ids}"},
    "reports.behind": {"en": "depends on {ids}", "es": "depende de {ids}"},
    "reports.unknown_line": {"en": "not evaluated: {ids}", "es": "sin evaluar: {ids}"},
    "reports.all_checks": {"en": "all {n} checks", "es": "las {n} comprobaciones"},
    "reports.and_more": {"en": "{listed} and {n} more", "es": "{listed} y {n} más"},
    "reports.have_everything_one": {
        "en": "{complete} of {n} student has everything",
        "es": "{complete} de {n} estudiante con todo correcto",
    },
    "reports.have_everything_many": {
        "en": "{complete} of {n} students have everything",
        "es": "{complete} de {n} estudiantes con todo correcto",
    },
    "reports.next": {"en": "Next: {command}", "es": "Siguiente: {command}"},
    "reports.up_then_verify": {
        "en": "lab up {target}, then lab verify {target}",
        "es": "lab up {target}, y después lab verify {target}",
    },
    "reports.look_then_verify": {
        "en": "lab ssh {machine} to look, then lab verify {target}",
        "es": "lab ssh {machine} para mirar, y después lab verify {target}",
    },
}

_FIGURES: dict[str, dict[str, str]] = {
    "reports.hardest": {"en": "Hardest checks", "es": "Las comprobaciones más difíciles"},
    "reports.share_failing": {
        "en": "{failed} of {n} failed",
        "es": "{failed} de {n} con fallo",
    },
    "reports.evidence_expected": {"en": "Expected", "es": "Se esperaba"},
    "reports.evidence_found": {"en": "Found", "es": "Se encontró"},
    "reports.evidence_output": {"en": "Output", "es": "Salida"},
    "reports.evidence_hint": {"en": "Hint", "es": "Pista"},
    "reports.evidence_blocked_by": {"en": "Blocked by", "es": "Bloqueada por"},
    "reports.evidence_behind": {"en": "Depends on", "es": "Depende de"},
}

_PAGE: dict[str, dict[str, str]] = {
    "reports.page_title": {"en": "What works", "es": "Qué funciona"},
    "reports.page_verified": {"en": "Verified {at}", "es": "Comprobado el {at}"},
    "reports.page_verified_between": {
        "en": "Verified from {first} to {last}",
        "es": "Comprobado entre el {first} y el {last}",
    },
    "reports.page_made": {"en": "Page made {at}", "es": "Página hecha el {at}"},
    "reports.page_everything": {"en": "have everything", "es": "con todo correcto"},
    "reports.page_median": {"en": "median score", "es": "mediana de la puntuación"},
    "reports.page_not_evaluated": {
        "en": "could not be evaluated in whole",
        "es": "sin evaluar por completo",
    },
    "reports.page_of": {"en": "{part} of {whole}", "es": "{part} de {whole}"},
    "reports.page_percent": {"en": "{n}%", "es": "{n} %"},
    "reports.page_distribution": {"en": "Students by score", "es": "Estudiantes por puntuación"},
    "reports.page_bin": {"en": "{low} to {high}%: {n}", "es": "de {low} a {high} %: {n}"},
    "reports.page_progress": {"en": "Progress by step", "es": "Progreso por pasos"},
    "reports.page_progress_note": {
        "en": "Students who have all of the step",
        "es": "Estudiantes que tienen todo el paso",
    },
    "reports.page_progress_note_own": {
        "en": "Checks of the step that passed",
        "es": "Comprobaciones correctas del paso",
    },
    "reports.page_hardest_note": {
        "en": "Out of those whose check could be judged; blocked ones are counted apart",
        "es": "De quienes se pudo juzgar la comprobación; las bloqueadas se cuentan aparte",
    },
    "reports.page_none_failed": {
        "en": "No check failed.",
        "es": "No falló ninguna comprobación.",
    },
    "reports.page_matrix": {"en": "Students and checks", "es": "Estudiantes y comprobaciones"},
    "reports.page_matrix_note": {
        "en": "Choose a cell or a student to see the evidence",
        "es": "Elige una celda o un estudiante para ver las evidencias",
    },
    "reports.page_search": {"en": "Filter", "es": "Filtrar"},
    "reports.page_search_for": {
        "en": "Login, name or check",
        "es": "Usuario, nombre o comprobación",
    },
    "reports.page_with": {"en": "With a check", "es": "Con alguna comprobación"},
    "reports.page_any": {"en": "of any outcome", "es": "de cualquier resultado"},
    "reports.page_lacking": {
        "en": "Only what lacks something",
        "es": "Solo lo que tiene algo pendiente",
    },
    "reports.page_shown": {
        "en": "{rows} of {all_rows} students, {columns} of {all_columns} checks",
        "es": "{rows} de {all_rows} estudiantes, {columns} de {all_columns} comprobaciones",
    },
    "reports.page_no_match": {
        "en": "Nothing matches the filter.",
        "es": "Nada coincide con el filtro.",
    },
    "reports.page_reset": {"en": "Show all", "es": "Mostrar todo"},
    "reports.page_failed_count": {"en": "failed", "es": "fallos"},
    "reports.page_sort": {"en": "Sort by this", "es": "Ordenar por esto"},
    "reports.page_absent": {"en": "not of this student", "es": "no es de este estudiante"},
    "reports.page_students": {"en": "Student by student", "es": "Estudiante a estudiante"},
    "reports.page_by": {"en": "by", "es": "por"},
    "reports.page_behind": {"en": "depend on", "es": "dependen de"},
    "reports.page_points": {"en": "{points} points", "es": "{points} puntos"},
    "reports.page_close": {"en": "Close", "es": "Cerrar"},
    "reports.page_all_passed": {
        "en": "Every check passed.",
        "es": "Todas las comprobaciones son correctas.",
    },
    "reports.page_passed": {"en": "Passed", "es": "Correctas"},
    "reports.page_failed": {"en": "Failed", "es": "Fallidas"},
    "reports.page_blocked": {"en": "Blocked", "es": "Bloqueadas"},
    "reports.page_unknown": {"en": "Not evaluated", "es": "Sin evaluar"},
}

TEXTS: dict[str, dict[str, str]] = {**_OUTCOMES, **_SCORES, **_TABLE, **_FIGURES, **_PAGE}
