"""`lab plan --format json`: one object a machine, and whether those to be started fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict

from lab.classroom.results import PlannedMachine
from lab.report.json_document import document


def plan_json(rows: Iterable[PlannedMachine], *, fits: Mapping[str, object]) -> str:
    """`{"version": 1, "machines": [...], "fits": {...}}`; `fits` is from `report.admission`."""
    return document({"machines": [asdict(row) for row in rows], "fits": dict(fits)})
