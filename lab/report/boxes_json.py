"""`lab box list --format json`: one object a box, in the order of the rows."""

from __future__ import annotations

from collections.abc import Iterable

from lab.classroom.results import BoxStatus
from lab.report.json_document import document


def boxes_json(rows: Iterable[BoxStatus]) -> str:
    """Return the boxes as JSON; `created` is null when nobody noted it."""
    return document({"boxes": [_box(row) for row in rows]})


def _box(row: BoxStatus) -> dict[str, object]:
    return {
        "name": row.name,
        "provider": row.provider,
        "version": row.version,
        "size_mb": row.size_mb,
        "created": row.created or None,
    }
