"""What `lab up` made of each machine, as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from lab.classroom.results import MachineOutcome
from lab.report.json_document import document


def up_json(outcomes: Sequence[MachineOutcome]) -> str:
    """`{"version": 1, "machines": [...]}`, in the order of labs.yaml."""
    return document({"machines": [asdict(outcome) for outcome in outcomes]})
