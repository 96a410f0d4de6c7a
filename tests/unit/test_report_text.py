"""Nothing from outside acts upon a terminal, whichever report it goes through."""

from __future__ import annotations

import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.classroom.results import (
    BoxStatus,
    CheckResult,
    LabResult,
    MachineOutcome,
    MachineState,
    MachineStatus,
    Outcome,
    StudentResult,
)
from lab.errors import LabError
from lab.report.boxes_table import boxes_table
from lab.report.console import console_for
from lab.report.errors import show_error
from lab.report.progress import LiveProgress
from lab.report.status_table import status_table
from lab.report.text import in_json, inert_block, inert_line
from lab.report.up_summary import up_summary
from lab.report.verify_json import verify_json
from lab.report.verify_table import verify_table

ACTIVE = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f"
    "\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# Any text, with a liking for what acts: controls, bidi, lone surrogates, markup.
OUTSIDE = st.text(
    st.one_of(
        st.characters(exclude_categories=()),
        st.sampled_from("\x1b\x9b\x07\r\n\t\u202e\u2066\u200f\ud800[]/\\"),
    )
) | st.sampled_from(["[/red]", "[bold]x[/]", "\x1b]52;c;eA==\x07", "\x1b[2J", ":smile:"])


def result_of(text: str) -> tuple[LabResult, ...]:
    def check(identity: str, outcome: Outcome) -> CheckResult:
        return CheckResult(
            id=identity,
            step=text,
            title=text,
            outcome=outcome,
            points=None if outcome is Outcome.UNKNOWN else 0.0,
            max_points=1.0,
            message=text,
            hint=text,
        )

    checks = tuple(check(f"{text}{outcome.value}", outcome) for outcome in Outcome)
    student = StudentResult(login=text, name=text, machine=text, checks=checks)
    return (LabResult(lab=text, students=(student,)),)


def everything(text: str, *, env: dict[str, str], width: int = 80) -> str:
    """What every report prints when all that it is given is `text`."""
    stream = io.StringIO()
    console = console_for(stream, {"COLUMNS": str(width), **env})
    verify_table(result_of(text), console=console)
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
    status_table([status], console=console)
    box = BoxStatus(name=text, provider=text, version=text, size_mb=1, created=text)
    boxes_table([box], console=console)
    outcome = MachineOutcome(
        machine=text,
        lab=text,
        login=text,
        ok=False,
        changed=True,
        failed_step=text,
        message=text,
        tail=(text,),
        log=text,
        retry=text,
        ip=text,
        url=text,
    )
    up_summary([outcome], console=console)
    show_error(LabError(text, details=text, hint=text), console=console)
    with LiveProgress(console) as progress:
        progress.started(1, text)
        progress.note(text)
        progress.machine(text, text)
        console.print(progress)
        progress.done(text, ok=False, summary=text)
    return stream.getvalue()


@given(OUTSIDE)
def test_no_report_lets_a_control_character_through(text: str) -> None:
    assert ACTIVE.findall(everything(text, env={})) == []


@given(OUTSIDE)
def test_with_colour_there_is_colour_and_nothing_else(text: str) -> None:
    coloured = everything(text, env={"FORCE_COLOR": "1"}, width=120)

    assert COLOUR.search(coloured)
    assert ACTIVE.findall(COLOUR.sub("", coloured)) == []


@given(OUTSIDE)
def test_json_is_inert_and_tells_the_very_same_text(text: str) -> None:
    document = verify_json(result_of(text))

    assert ACTIVE.findall(document) == []
    assert json.loads(document)["labs"][0]["lab"] == json.loads(json.dumps(text))


@pytest.mark.parametrize("markup", ["[/red]", "[bold]Ana[/bold]", ":smile:", "[link=x]y[/link]"])
def test_markup_shows_literally(markup: str) -> None:
    assert everything(markup, env={}).count(markup) > 10


@given(OUTSIDE)
def test_a_line_stays_as_long_as_it_is_so_that_carets_stay_in_place(text: str) -> None:
    line = text.replace("\r", "").replace("\n", "")

    assert len(inert_line(line)) == len(line)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Ana Núñez", "Ana Núñez"),
        ("a\r\nb\tc\n", "a b c"),
        ("\x1b[31m\x00\x7f", "␛[31m␀␡"),
        ("\u202ex\u009b\ud800", "\ufffdx\ufffd\ufffd"),
        ("عمر 王 👩‍🏫", "عمر 王 👩‍🏫"),
    ],
)
def test_inert_line(text: str, line: str) -> None:
    assert inert_line(text) == line


def test_inert_block_keeps_lines_and_expands_tabs() -> None:
    assert inert_block("a\tb\r\n\x1b[2J\rc\n") == "a       b\n␛[2J␍c\n"


def test_in_json_escapes_what_json_leaves_alone() -> None:
    assert in_json('{"a": "ñ\u202e\u009b"}') == '{"a": "ñ\\u202e\\u009b"}'
