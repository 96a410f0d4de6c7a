"""What histories, marks and gradebooks say."""

from __future__ import annotations

TEXTS: dict[str, dict[str, str]] = {
    # Moodle's own words, so that whoever maps the columns of an import finds them.
    "grades.moodle_email": {"en": "Email address", "es": "Dirección de correo"},
    "grades.moodle_id_number": {"en": "ID number", "es": "Número de ID"},
    "grades.moodle_feedback": {"en": "Feedback: {lab}", "es": "Retroalimentación: {lab}"},
}
