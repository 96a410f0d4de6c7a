"""Anything that a guest, Vagrant or a check may say: nothing raises, and nothing acts upon a terminal."""

from __future__ import annotations

import base64
import contextlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.checks.evidence import OUTPUT_CHARACTERS
from lab.checks.outcomes import result_of
from lab.checks.request import read_result, result_event
from lab.checks.spec import CheckSpec
from lab.classroom.results import (
    BoxStatus,
    MachineOutcome,
    MachineState,
    MachineStatus,
    Outcome,
)
from lab.classroom.runs import LabRun, StudentRun
from lab.classroom.view import View
from lab.errors import ConnectionLost, LabError
from lab.machines import kit, ssh
from lab.machines.ssh import Shell
from lab.machines.vagrant import batch_errors
from lab.report.boxes_json import boxes_json
from lab.report.console import console_for
from lab.report.status_json import status_json
from lab.report.up_json import up_json
from lab.report.up_summary import up_summary
from lab.report.verify_json import verify_json
from lab.report.verify_table import verify_table
from lab.system.files import LabFolder
from lab.system.process import Completed
from lab.workflow.project import Project
from tests.unit.test_report_text import ACTIVE, OUTSIDE

# What decoding leaves of any bytes, and the words that lab listens for.
BYTES = st.binary(max_size=200).map(lambda raw: raw.decode(errors="replace"))
REPORTS = st.lists(
    BYTES
    | OUTSIDE
    | st.sampled_from(
        [
            *(
                "start base",
                "kept base",
                "ended base 0 0.1",
                "ended web 9 1",
                "start nobody",
                "kept",
            ),
            *(
                "ended web 0",
                "ended web 1e3 1",
                "ended web ٣ ٣",
                "ended web 256 0.1",
                "start web",
                "kept web",
            ),
        ]
    ),
    max_size=8,
)
PER_FUNCTION = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@settings(suppress_health_check=PER_FUNCTION)
@given(REPORTS, OUTSIDE, st.sampled_from([0, 1, 9, 137, 255, -9]))
def test_whatever_a_guest_says_of_its_steps_is_an_outcome_or_a_failure(
    project: Project, monkeypatch: pytest.MonkeyPatch, lines: list[str], said: str, code: int
) -> None:
    def run(_: object, __: object, script: str, **how: Any) -> Completed:
        for line in lines:
            how["on_line"](line)
        if code == ssh.CONNECTION_FAILED:
            raise ConnectionLost("gone", details=said)
        return Completed(
            argv=("ssh",), returncode=code, stdout="\n".join(lines), stderr=said, seconds=1.0
        )

    monkeypatch.setattr(kit, "PATIENCE_S", 0.0)
    monkeypatch.setattr(kit.ssh, "run_as_root", run)
    machine = project.machines[0]
    told: list[str] = []
    try:
        outcome = kit.run_steps(machine, project.folder, b"", tell=told.append)
    except LabError as error:
        outcome = None
        message, tail = error.message, tuple(error.details.splitlines())
    else:
        message, tail = f"step {outcome.failed_step}", outcome.tail
        names = {step.name for step in machine.steps}
        assert outcome.failed_step in names | {""}
        assert code == 0 or outcome.failed_step
    assert_inert_up(
        machine_outcome(message, tail, failed=outcome is None or bool(outcome.failed_step))
    )


def machine_outcome(message: str, tail: tuple[str, ...], *, failed: bool) -> MachineOutcome:
    return MachineOutcome(
        machine="hello-ana", lab="hello", login="ana", ok=not failed, changed=True,
        message=message, tail=tail, log="/log", retry="lab up hello/ana",
    )  # fmt: skip


def assert_inert_up(outcome: MachineOutcome) -> None:
    stream = io.StringIO()
    up_summary([outcome], console=console_for(stream, {"COLUMNS": "100"}))
    document = up_json([outcome])
    assert ACTIVE.findall(stream.getvalue() + document) == []
    [row] = json.loads(document)["machines"]
    assert row["tail"] == list(outcome.tail)


HEAD = "An error occurred while executing the action on the 'hello-ana'\n"


@given(st.lists(BYTES | OUTSIDE | st.just(HEAD) | st.just(HEAD.strip()), max_size=6).map("\n".join))
def test_whatever_vagrant_says_of_a_batch_is_told_inertly(text: str) -> None:
    for name, why in batch_errors(text).items():
        assert name
        lines = why.splitlines() or [""]
        assert_inert_up(machine_outcome(lines[0], tuple(lines[1:]), failed=True))


SPEC = CheckSpec(id="web.up", step="web", title={"en": "Up"}, points=2.0, hint={"en": "Do"})
ERRORS: list[Callable[[str], BaseException]] = [
    AssertionError,
    RuntimeError,
    pytest.fail.Exception,
    pytest.skip.Exception,
    lambda text: LabError(text, details=text),
    lambda text: UnicodeDecodeError("utf-8", b"\xff", 0, 1, text),
]


@given(OUTSIDE | BYTES, st.sampled_from(ERRORS))
def test_whatever_a_check_says_comes_through_and_is_told_inertly(
    text: str, kind: Callable[[str], BaseException]
) -> None:
    result = result_of(SPEC, kind(text), seconds=0.5)
    event = result_event("hello-ana", result)
    # A line of its own on a pipe that takes UTF-8.
    assert "\n" not in event
    assert read_result(json.loads(event.encode().decode())["result"]) == result
    assert result.outcome in {Outcome.FAILED, Outcome.UNKNOWN}
    assert (result.points is None) == (result.outcome is Outcome.UNKNOWN)
    assert len(result.output) <= OUTPUT_CHARACTERS
    student = StudentRun(login="ana", name=text, machine="hello-ana", checks=(result,))
    labs = View().of_labs([LabRun(lab="hello", students=(student,))])
    stream = io.StringIO()
    verify_table(labs, console=console_for(stream, {"COLUMNS": "100"}))
    assert ACTIVE.findall(stream.getvalue() + verify_json(labs)) == []


@given(OUTSIDE)
def test_every_document_is_inert_and_tells_the_very_same_text(text: str) -> None:
    status = MachineStatus(
        lab=text,
        login=text,
        machine=text,
        provider=text,
        state=MachineState.FAILED,
        ip=text,
        url=text,
        step=text,
    )
    box = BoxStatus(name=text, provider=text, version=text, size_mb=1, created=text)
    up = machine_outcome(text, (text, text), failed=True)
    for document, row in (
        (status_json([status]), "machines"),
        (boxes_json([box]), "boxes"),
        (up_json([up]), "machines"),
    ):
        assert ACTIVE.findall(document) == []
        [told] = json.loads(document)[row]
        assert text in [value for value in told.values() if isinstance(value, str)]


ANSWERS = st.lists(
    st.binary(max_size=30)
    | st.sampled_from(
        [b"ready\n", b"0 0\nYWJj\n\n", b"-1 9\n", b"0 0\n\n\n", b"YWJ\n", b"x 1 1\n", b"\n"]
    ),
    max_size=5,
).map(b"".join)


@settings(max_examples=40, suppress_health_check=PER_FUNCTION)
@given(ANSWERS, st.booleans())
def test_whatever_is_at_the_other_end_is_an_answer_or_a_lost_connection(
    program: Callable[[str, str], Path], tmp_path: Path, said: bytes, greets: bool
) -> None:
    (tmp_path / "said").write_bytes((b"ready\n" if greets else b"") + said)
    program("ssh", f"cat '{tmp_path}/said'")
    shell = Shell(LabFolder(tmp_path), "hello-ana")
    answer = None
    with contextlib.suppress(ConnectionLost):
        answer = shell.run("true", timeout_s=1)
    shell.close()
    assert answer is None or base64.b64encode(answer.stdout) in said
