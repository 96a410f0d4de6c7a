"""`lab status --format json`: one object a machine, in the order of the rows."""

from __future__ import annotations

from collections.abc import Iterable

from lab.classroom.results import MachineStatus
from lab.report.json_document import document


def status_json(rows: Iterable[MachineStatus]) -> str:
    """Return the machines as JSON; `ip`, `url` and `step` are null while a machine has none."""
    return document({"machines": [_machine(row) for row in rows]})


def _machine(row: MachineStatus) -> dict[str, object]:
    return {
        "lab": row.lab,
        "login": row.login,
        "machine": row.machine,
        "provider": row.provider,
        "state": row.state.value,
        "ip": row.ip or None,
        "url": row.url or None,
        "step": row.step or None,
        "steps_done": row.steps_done,
        "steps_total": row.steps_total,
    }
