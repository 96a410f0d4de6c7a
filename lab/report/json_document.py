"""The form that every JSON report shares: versioned, readable, nothing a terminal acts upon."""

from __future__ import annotations

import json
from collections.abc import Mapping

from lab.report.text import in_json

VERSION = 1


def document(content: Mapping[str, object]) -> str:
    """Return `content` as JSON text, headed by the version of the contract, without a line end."""
    whole = {"version": VERSION, **content}
    return in_json(json.dumps(whole, ensure_ascii=False, allow_nan=False, indent=2))


def number(value: float, *, digits: int = 6) -> int | float:
    """Return an int when `value` is whole, else at most `digits` decimals of it."""
    rounded = round(value, digits)
    return int(rounded) if rounded == int(rounded) else rounded
