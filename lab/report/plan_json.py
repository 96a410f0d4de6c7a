"""`lab plan --format json`: one object a machine, and whether those to be started fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict

from lab.classroom.results import PlannedMachine
from lab.report.json_document import document


def plan_json(
    rows: Iterable[PlannedMachine],
    *,
    fits: Mapping[str, object],
    downloads: Sequence[str] | None = None,
) -> str:
    """`{"version": 1, "machines": [...], "fits": {...}, "downloads": [...]}`.

    Args:
        rows: the machines.
        fits: whether they fit, see `report.admission`.
        downloads: what would have to be downloaded; None where nobody asked, and it is left out.
    """
    asked = {} if downloads is None else {"downloads": list(downloads)}
    return document({"machines": [asdict(row) for row in rows], "fits": dict(fits), **asked})
