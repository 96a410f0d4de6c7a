"""`lab verify --isolation --format json`: one object a machine, in the order of labs.yaml."""

from __future__ import annotations

from collections.abc import Iterable

from lab.classroom.isolation import MachineIsolation
from lab.report.json_document import document


def isolation_json(rows: Iterable[MachineIsolation]) -> str:
    """Return the proof as JSON; `machine` of what is unknown is null for the machine itself."""
    return document({"isolation": [_machine(row) for row in rows]})


def _machine(row: MachineIsolation) -> dict[str, object]:
    return {
        "lab": row.lab,
        "login": row.login,
        "machine": row.machine,
        "isolated": row.isolated,
        "internet": row.internet,
        "outcome": row.outcome.value,
        "kept_from": list(row.kept_from),
        "reaches": [
            {"machine": it.machine, "ways": list(it.ways), "allowed": it.allowed}
            for it in row.reaches
        ],
        "unreached": list(row.unreached),
        "beyond": row.beyond,
        "findings": [{"kind": it.kind, "text": it.text} for it in row.findings],
        "unknown": [{"machine": it.machine or None, "why": it.why} for it in row.untried],
    }
