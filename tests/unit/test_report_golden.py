"""Every report against the text that it is to be, at two widths and without colour, and as JSON."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from lab.classroom.results import (
    BoxStatus,
    CheckResult,
    Evidence,
    LabResult,
    MachineOutcome,
    MachineState,
    MachineStatus,
    Outcome,
    StudentResult,
)
from lab.errors import LabError
from lab.machines.health import Finding, Health
from lab.report.boxes_json import boxes_json
from lab.report.boxes_table import boxes_table
from lab.report.console import console_for
from lab.report.doctor_json import doctor_json
from lab.report.doctor_table import doctor_table
from lab.report.errors import show_error
from lab.report.status_json import status_json
from lab.report.status_table import status_table
from lab.report.up_summary import up_summary
from lab.report.verify_csv import verify_csv
from lab.report.verify_json import verify_json
from lab.report.verify_junit import verify_junit
from lab.report.verify_markdown import verify_markdown
from lab.report.verify_table import verify_table

CASES = Path(__file__).parent.parent / "golden" / "reports"
OUTCOMES = {
    "p": Outcome.PASSED,
    "f": Outcome.FAILED,
    "b": Outcome.BLOCKED,
    "u": Outcome.UNKNOWN,
}


def read_labs(case: dict[str, Any]) -> tuple[LabResult, ...]:
    """The results of a case: its checks are listed once, a student's outcomes are a letter each."""
    return tuple(
        LabResult(
            lab=lab["lab"],
            language=lab.get("language", "en"),
            steps=lab.get("steps", {}),
            students=tuple(read_student(lab["checks"], student) for student in lab["students"]),
        )
        for lab in case["labs"]
    )


def read_student(checks: list[dict[str, Any]], student: dict[str, Any]) -> StudentResult:
    return StudentResult(
        login=student["login"],
        name=student["name"],
        machine=f"machine-{student['login']}",
        checks=tuple(
            read_check(check, OUTCOMES[letter], student)
            for check, letter in zip(checks, student["outcomes"], strict=False)
        ),
        at=datetime.fromisoformat(student["at"]) if "at" in student else None,
    )


def read_check(check: dict[str, Any], outcome: Outcome, student: dict[str, Any]) -> CheckResult:
    full = float(check["points"])
    earned = {Outcome.PASSED: full, Outcome.UNKNOWN: None}.get(outcome, 0.0)
    return CheckResult(
        id=check["id"],
        step=check["step"],
        title=check["title"],
        outcome=outcome,
        points=earned,
        max_points=full,
        message=student.get("messages", {}).get(check["id"], ""),
        evidence=Evidence(**student.get("evidence", {}).get(check["id"], {})),
        hint=check["hint"] if outcome is Outcome.FAILED else "",
        hidden=check.get("hidden", False),
        blocked_by=tuple(student.get("blocked_by", {}).get(check["id"], ())),
        seconds=0.25,
    )


def read_statuses(case: dict[str, Any]) -> list[MachineStatus]:
    return [MachineStatus(**{**row, "state": MachineState(row["state"])}) for row in case["rows"]]


def read_outcomes(case: dict[str, Any]) -> list[MachineOutcome]:
    return [MachineOutcome(**{**row, "tail": tuple(row.get("tail", ()))}) for row in case["rows"]]


def read_boxes(case: dict[str, Any]) -> list[BoxStatus]:
    return [BoxStatus(**row) for row in case["rows"]]


def read_findings(case: dict[str, Any]) -> list[Finding]:
    return [Finding(**{**row, "outcome": Health(row["outcome"])}) for row in case["rows"]]


def read_error(case: dict[str, Any]) -> LabError:
    log = Path(case["log"]) if case["log"] else None
    return LabError(case["message"], details=case["details"], hint=case["hint"], log=log)


SHOWN: dict[str, Callable[[dict[str, Any], Console], None]] = {
    "verify": lambda case, console: verify_table(read_labs(case), console=console),
    "status": lambda case, console: status_table(read_statuses(case), console=console),
    "up": lambda case, console: up_summary(read_outcomes(case), console=console),
    "boxes": lambda case, console: boxes_table(read_boxes(case), console=console),
    "doctor": lambda case, console: doctor_table(read_findings(case), console=console),
    "error": lambda case, console: show_error(read_error(case), console=console),
}
AS_JSON: dict[str, Callable[[dict[str, Any]], str]] = {
    "verify": lambda case: verify_json(read_labs(case)),
    "status": lambda case: status_json(read_statuses(case)),
    "boxes": lambda case: boxes_json(read_boxes(case)),
    "doctor": lambda case: doctor_json(read_findings(case)),
}

AS_TEXT: dict[str, Callable[[tuple[LabResult, ...]], str]] = {
    "expected.csv": verify_csv,
    "expected.md": lambda labs: verify_markdown(labs) + "\n",
    "expected.xml": lambda labs: verify_junit(labs) + "\n",
}


def read_case(name: str) -> dict[str, Any]:
    case: dict[str, Any] = json.loads((CASES / name / "case.json").read_text(encoding="utf-8"))
    return case


def shown(case: dict[str, Any], *, width: int, encoding: str = "utf-8") -> str:
    """What a case prints; spaces at line ends are a matter of rich's and not compared."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = console_for(stream, {"COLUMNS": str(width), "NO_COLOR": "1"})
    SHOWN[case["report"]](case, console)
    stream.seek(0)
    return "".join(line.rstrip() + "\n" for line in stream.read().splitlines())


def compare(found: str, expected: Path, request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--update-golden", default=False):
        expected.write_text(found, encoding="utf-8")
    assert found == expected.read_text(encoding="utf-8")


NAMES = sorted(folder.name for folder in CASES.iterdir())
# As JSON these are thousands of lines that nobody would read.
TOO_LONG_IN_JSON = {"verify_class_of_30", "verify_many_steps"}
NAMES_WITH_JSON = [
    name for name in NAMES if read_case(name)["report"] in AS_JSON and name not in TOO_LONG_IN_JSON
]


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("name", NAMES)
def test_report_is_the_golden_text(name: str, width: int, request: pytest.FixtureRequest) -> None:
    found = shown(read_case(name), width=width)

    compare(found, CASES / name / f"{width}.txt", request)


@pytest.mark.parametrize("name", NAMES_WITH_JSON)
def test_report_is_the_golden_json(name: str, request: pytest.FixtureRequest) -> None:
    case = read_case(name)

    found = AS_JSON[case["report"]](case)

    compare(found + "\n", CASES / name / "expected.json", request)


@pytest.mark.parametrize("file", AS_TEXT)
@pytest.mark.parametrize("name", [name for name in NAMES_WITH_JSON if name.startswith("verify")])
def test_verify_is_the_golden_file(name: str, file: str, request: pytest.FixtureRequest) -> None:
    compare(AS_TEXT[file](read_labs(read_case(name))), CASES / name / file, request)


@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("error")])
def test_no_line_is_wider_than_the_console(name: str) -> None:
    for width in (80, 120):
        lines = shown(read_case(name), width=width).splitlines()

        assert max(cell_len(line) for line in lines) <= width


@pytest.mark.parametrize("name", NAMES)
def test_a_narrow_ascii_console_is_served_too(name: str) -> None:
    text = shown(read_case(name), width=30, encoding="ascii")

    assert text.isascii()
    assert text
