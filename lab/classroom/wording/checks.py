"""What stands for a check that did not pass, beside its author's own words."""

from __future__ import annotations

TEXTS: dict[str, dict[str, str]] = {
    "checks.as_expected": {
        "en": "expected {expected}; found {found}",
        "es": "se esperaba {expected}; se encontró {found}",
    },
    "checks.nothing_found": {"en": "nothing", "es": "nada"},
    "checks.blocked_by": {"en": "blocked by {ids}", "es": "bloqueada por {ids}"},
    "checks.behind_unknown": {
        "en": "{id} could not be evaluated",
        "es": "{id} no se pudo evaluar",
    },
    "checks.hidden": {"en": "A hidden check", "es": "Una comprobación oculta"},
}
