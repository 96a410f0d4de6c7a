"""What a person reads: a command that can be copied, and what to do next."""

from __future__ import annotations

import io

from lab.machines.health import Finding, Health
from lab.report.console import console_for
from lab.report.doctor_table import doctor_table

LONG = "sudo something " + "--with-a-long-option " * 8 + "--end"


def shown(*findings: Finding) -> str:
    stream = io.StringIO()
    doctor_table(findings, console=console_for(stream, {"COLUMNS": "80", "NO_COLOR": "1"}))
    return stream.getvalue()


def finding(outcome: Health, *, fix: str = "", safe: bool = False) -> Finding:
    return Finding(id="a", title="A", outcome=outcome, found="so", fix=fix, safe=safe)


def test_a_command_is_never_cut_in_two() -> None:
    assert f"fix: {LONG}\n" in shown(finding(Health.PROBLEM, fix=LONG))


def test_what_comes_next() -> None:
    assert shown(finding(Health.OK)).endswith("Next: lab up\n")
    assert "Next: lab doctor --fix" in shown(finding(Health.PROBLEM, fix="x", safe=True))
    assert "Next: the commands after `fix:`" in shown(finding(Health.PROBLEM, fix="x"))


def test_what_is_unknown_or_only_to_be_noted_keeps_nobody_from_working() -> None:
    text = shown(finding(Health.UNKNOWN), finding(Health.NOTE, fix="x", safe=True))
    assert text.endswith("0 problems, 1 unknown, 1 note, 0 ok\nNext: lab up\n")
