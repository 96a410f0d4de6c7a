"""`lab doctor --format json`: one object a check, always in the same order."""

from __future__ import annotations

from collections.abc import Iterable

from lab.machines.health import Finding
from lab.report.json_document import document


def doctor_json(findings: Iterable[Finding]) -> str:
    """Return the findings as JSON; `fix` is null where nothing has to be mended."""
    return document({"checks": [_check(finding) for finding in findings]})


def _check(finding: Finding) -> dict[str, object]:
    return {
        "id": finding.id,
        "title": finding.title,
        "outcome": finding.outcome.value,
        "found": finding.found,
        "fix": finding.fix or None,
        "safe": finding.safe,
        "fixed": finding.fixed,
    }
