"""What `lab up` and its like name as the next command."""

from __future__ import annotations

import io

import pytest

from lab.classroom.results import MachineOutcome
from lab.report.console import console_for
from lab.report.up_summary import up_summary


def last_line(*retries: str | None) -> str:
    """The end of a summary; None stands for a machine that is well, "" for one that nothing helps."""
    outcomes = [
        MachineOutcome(
            machine=f"hello-s{number}",
            lab="hello",
            login=f"s{number}",
            ok=retry is None,
            changed=True,
            retry=retry or "",
        )
        for number, retry in enumerate(retries)
    ]
    written = io.StringIO()
    up_summary(outcomes, console=console_for(written, {"COLUMNS": "200"}))
    return written.getvalue().splitlines()[-1]


@pytest.mark.parametrize(
    ("retries", "expected"),
    [
        ((None, None), "lab verify"),
        ((None, "lab up hello/s1"), "lab up hello/s1"),
        (
            ("lab up hello/s0", "lab up hello/s1"),
            "lab up, which takes each of them up where it stopped",
        ),
        ((None, ""), "lab status, which says how each machine stands"),
        (("lab snapshot restore good hello/s0", ""), "lab snapshot restore good hello/s0"),
        (
            ("lab up --recreate hello/s0", "lab up hello/s1"),
            "the retry commands above: lab up alone does not help all of them",
        ),
        (
            ("lab reset hello/s0", "lab reset hello/s1"),
            "the retry commands above: lab up alone does not help all of them",
        ),
    ],
)
def test_the_next_command_helps_those_that_failed(
    retries: tuple[str | None, ...], expected: str
) -> None:
    assert last_line(*retries) == f"Next: {expected}"
