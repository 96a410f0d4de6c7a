"""Whether a class fits on this computer, as lines and as JSON."""

from __future__ import annotations

from typing import Any

from lab.machines.admission import Admission, amount


def fits_lines(admission: Admission) -> list[str]:
    """How many fit; where not all do, then what limits, and the options.

    Empty when nothing is to be started.
    """
    if not admission.of:
        return []
    return [
        f"{admission.fit} of {amount(admission.of)} fit",
        *(f"{use}: enough for {use.fit}" for use in admission.short),
        *(f"option: {option}" for option in admission.options),
    ]


def fits_json(admission: Admission) -> dict[str, Any]:
    """The same as data."""
    return {
        "fit": admission.fit,
        "of": admission.of,
        "limits": [
            {
                "name": use.limit.name,
                "unit": use.limit.unit,
                "needed": round(use.needed, 2),
                "free": round(use.limit.free, 2),
                "of": round(use.limit.of, 2),
                "fit": use.fit,
            }
            for use in admission.uses
        ],
        "options": list(admission.options),
    }
