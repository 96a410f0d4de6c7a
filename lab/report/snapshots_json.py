"""`lab snapshot list --format json`: one object a snapshot, in the order of the rows."""

from __future__ import annotations

from collections.abc import Iterable

from lab.classroom.results import SnapshotStatus
from lab.report.json_document import document


def snapshots_json(rows: Iterable[SnapshotStatus]) -> str:
    """Return the snapshots as JSON; `created` is null when it is not known."""
    return document({"snapshots": [_snapshot(row) for row in rows]})


def _snapshot(row: SnapshotStatus) -> dict[str, object]:
    return {
        "lab": row.lab,
        "login": row.login,
        "machine": row.machine,
        "name": row.name,
        "created": row.created.isoformat() if row.created else None,
        "size_mb": row.size_mb,
    }
