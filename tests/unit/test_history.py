"""Runs are kept whole, apart and for their owner alone; a damaged one is told of and left out."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.classroom.results import Outcome
from lab.classroom.run_document import document_of, run_of
from lab.classroom.runs import CheckRun, LabRun, Run, StudentRun
from lab.errors import LabError
from lab.system.files import LabFolder
from lab.workflow.history import all_runs, keep

AT = datetime(2026, 11, 30, 12, 0, 0, 250_000, tzinfo=timezone(timedelta(hours=1)))

texts = st.dictionaries(st.sampled_from(["en", "es"]), st.text(max_size=20), max_size=2)
numbers = st.floats(min_value=0, max_value=1000)
checks = st.builds(
    CheckRun,
    id=st.text(max_size=10),
    step=st.text(max_size=10),
    title=texts,
    outcome=st.sampled_from(Outcome),
    points=st.none() | numbers,
    max_points=numbers,
    message=texts,
    expected=texts,
    found=st.text(max_size=20),
    output=st.text(max_size=20),
    hint=texts,
    full_hint=texts,
    hidden=st.booleans(),
    blocked_by=st.lists(st.text(max_size=5), max_size=2).map(tuple),
    seconds=st.integers(0, 10**6).map(lambda it: it / 1000),
)
zones = st.integers(-14 * 60, 14 * 60).map(lambda it: timezone(timedelta(minutes=it)))
students = st.builds(
    StudentRun,
    login=st.text(max_size=10),
    name=st.text(max_size=10),
    machine=st.text(max_size=10),
    email=st.text(max_size=10),
    id_number=st.text(max_size=10),
    at=st.none() | st.datetimes(timezones=zones),
    identity=st.text(max_size=10),
    checks=st.lists(checks, max_size=4).map(tuple),
)
labs = st.builds(
    LabRun,
    lab=st.text(max_size=10),
    students=st.lists(students, max_size=3).map(tuple),
    steps=st.dictionaries(st.text(max_size=5), texts, max_size=3),
    lang=st.sampled_from([None, "en", "es"]),
)
runs = st.builds(Run, at=st.datetimes(timezones=zones), labs=st.lists(labs, max_size=2).map(tuple))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)


def a_check(number: int = 0, **more: Any) -> CheckRun:
    told: dict[str, Any] = {
        "id": f"step.check-{number}",
        "step": "step",
        "title": {"en": f"Check {number}", "es": f"Comprobación {number}"},
        "outcome": Outcome.PASSED,
        "points": 1.0,
        "max_points": 1.0,
        "hint": {"en": "Look into the log. " * 10, "es": "Mira el registro. " * 10},
        "full_hint": {"en": "Write this. " * 40, "es": "Escribe esto. " * 40},
    }
    return CheckRun(**{**told, **more})


def a_run(at: datetime = AT, *, students: int = 1, checks: int = 1) -> Run:
    return Run(
        at=at,
        labs=(
            LabRun(
                lab="hello",
                steps={"step": {"en": "Step", "es": "Paso"}},
                students=tuple(
                    StudentRun(
                        login=f"s{it}",
                        name=f"Núñez {it}",
                        machine=f"hello-s{it}",
                        identity=f"{it:016x}",
                        checks=tuple(a_check(number) for number in range(checks)),
                    )
                    for it in range(students)
                ),
            ),
        ),
    )


@pytest.fixture
def folder(tmp_path: Path) -> LabFolder:
    return LabFolder(tmp_path)


@pytest.fixture
def warnings() -> list[str]:
    return []


def refuse(warning: str) -> None:
    raise AssertionError(warning)


@given(runs)
def test_a_run_comes_back_as_it_was(run: Run) -> None:
    document = json.loads(json.dumps(document_of(run)))
    assert run_of(document) == run


@given(JSON)
def test_any_other_document_is_read_or_refused(document: Any) -> None:
    for whole in (document, {"version": 2, "at": AT.isoformat(), "texts": [], "labs": document}):
        with suppress(ValueError):
            run_of(whole)


@given(runs, st.data())
def test_a_document_in_which_anything_was_replaced_is_read_or_refused(
    run: Run, data: st.DataObject
) -> None:
    document = json.loads(json.dumps(document_of(run)))
    node: Any = document
    while isinstance(node, dict | list) and node:
        key = data.draw(st.sampled_from(list(node) if isinstance(node, dict) else range(len(node))))
        if not isinstance(node[key], dict | list) or data.draw(st.booleans()):
            node[key] = data.draw(JSON)
            break
        node = node[key]
    with suppress(ValueError):
        run_of(document)


def test_runs_are_kept_apart_oldest_first_and_for_their_owner_alone(folder: LabFolder) -> None:
    later = a_run(AT + timedelta(hours=1))
    paths = [keep(folder, later), keep(folder, a_run())]

    assert all_runs(folder, warn=refuse) == (a_run(), later)
    assert {path.stat().st_mode & 0o777 for path in paths} == {0o600}
    assert folder.runs.stat().st_mode & 0o777 == 0o700
    assert paths[1].name == f"{AT.astimezone():%Y%m%dT%H%M%S}-250000.json"


def test_two_runs_of_the_same_moment_are_both_kept(folder: LabFolder) -> None:
    first, second = a_run(), a_run(students=2)
    assert keep(folder, first) != keep(folder, second)
    assert all_runs(folder, warn=refuse) == (first, second)


def test_runs_are_ordered_by_the_moment_and_not_by_the_hour_on_the_clock(folder: LabFolder) -> None:
    """At the end of summer time 02:30 comes twice."""
    summer = datetime(2026, 10, 25, 2, 50, tzinfo=timezone(timedelta(hours=2)))
    winter = datetime(2026, 10, 25, 2, 10, tzinfo=timezone(timedelta(hours=1)))
    keep(folder, a_run(winter))
    keep(folder, a_run(summer))
    assert [run.at for run in all_runs(folder, warn=refuse)] == [summer, winter]


def test_there_may_be_none(folder: LabFolder) -> None:
    assert all_runs(folder, warn=refuse) == ()


def test_what_is_no_run_is_left_alone(folder: LabFolder) -> None:
    keep(folder, a_run())
    (folder.runs / "README").write_text("mine")
    (folder.runs / ".20261130T120000-250000.json.1-00000000.new").write_text("half")
    assert all_runs(folder, warn=refuse) == (a_run(),)


EARLIER = """{
 "at": "2026-03-01T09:00:00+01:00",
 "version": 1,
 "labs": [{"lab": "hello", "students": [{"login": "ana", "machine": "hello-ana", "score": 1, "max_score": 2,
  "outcome": "failed", "checks": [
  {"id": "web.there", "step": "web", "title": "It is there", "outcome": "passed", "points": 1, "max_points": 1,
   "message": "", "hint": "", "seconds": 0.5},
  {"id": "web.answers", "step": "web", "title": "It answers", "outcome": "failed", "points": 0, "max_points": 1,
   "message": "no", "hint": "look", "seconds": 0.25},
  {"id": "web.last", "step": "web", "title": "Last", "outcome": "unknown", "points": null, "max_points": 1,
   "message": "off", "hint": "", "seconds": 0}]}]}]}
"""


def test_runs_of_the_earlier_form_are_read(folder: LabFolder) -> None:
    folder.runs.mkdir(parents=True)
    (folder.runs / "20260301T090000-000001.json").write_text(EARLIER)

    [run] = all_runs(folder, warn=refuse)

    common = {"step": "web", "max_points": 1.0}
    assert run == Run(
        at=datetime(2026, 3, 1, 8, tzinfo=UTC),
        labs=(
            LabRun(
                lab="hello",
                students=(
                    StudentRun(
                        login="ana",
                        name="ana",
                        machine="hello-ana",
                        identity="",
                        checks=(
                            CheckRun(
                                id="web.there",
                                title={"en": "It is there"},
                                outcome=Outcome.PASSED,
                                points=1.0,
                                seconds=0.5,
                                **common,
                            ),
                            CheckRun(
                                id="web.answers",
                                title={"en": "It answers"},
                                outcome=Outcome.FAILED,
                                points=0.0,
                                message={"en": "no"},
                                hint={"en": "look"},
                                seconds=0.25,
                                **common,
                            ),
                            CheckRun(
                                id="web.last",
                                title={"en": "Last"},
                                outcome=Outcome.UNKNOWN,
                                points=None,
                                message={"en": "off"},
                                **common,
                            ),
                        ),
                    ),
                ),
            ),
        ),
    )


def test_a_run_of_before_persons_and_moments_were_noted_is_read() -> None:
    document = document_of(a_run())
    [student] = document["labs"][0]["students"]
    for key in ("email", "id_number", "at"):
        del student[key]
    assert run_of(document) == a_run()


def truncate(path: Path) -> None:
    path.write_text(path.read_text()[:-30])


def write_nonsense(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00")


def nest_deeply(path: Path) -> None:
    path.write_text("[" * 200_000)


def make_newer(path: Path) -> None:
    path.write_text(path.read_text().replace('"version":2', '"version":3'))


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (truncate, "is damaged, and does not count"),
        (write_nonsense, "is damaged, and does not count"),
        (nest_deeply, "is damaged, and does not count"),
        (make_newer, "does not count: it is of version 3"),
        (make_folder, "could not be read, and does not count: Is a directory"),
    ],
)
def test_a_run_that_cannot_be_read_is_told_of_and_left_out(
    folder: LabFolder, warnings: list[str], spoil: Callable[[Path], None], words: str
) -> None:
    bad = keep(folder, a_run())
    good = a_run(AT + timedelta(hours=1))
    keep(folder, good)
    spoil(bad)

    assert all_runs(folder, warn=warnings.append) == (good,)

    [warning] = warnings
    assert warning.startswith(f"The run {bad} {words}")
    assert "\n" in warning


def test_a_folder_that_is_none_is_an_error_and_not_an_empty_history(folder: LabFolder) -> None:
    folder.root.mkdir()
    folder.runs.write_text("")
    with pytest.raises(LabError, match="could not be read: Not a directory"):
        all_runs(folder, warn=refuse)


def test_a_class_of_thirty_stays_well_below_a_megabyte(folder: LabFolder) -> None:
    """A third of what there is to check fails, each with a page of output."""
    run = a_run(students=30, checks=45)
    [lab] = run.labs
    failed = {
        "outcome": Outcome.FAILED,
        "points": 0.0,
        "message": {"en": "expected this; found that", "es": "se esperaba esto; hay aquello"},
        "found": "that",
        "output": "x" * 900,
    }
    students = tuple(
        replace(
            student,
            checks=tuple(
                replace(check, **failed) if (row + column) % 3 == 0 else check
                for column, check in enumerate(student.checks)
            ),
        )
        for row, student in enumerate(lab.students)
    )
    run = replace(run, labs=(replace(lab, students=students),))
    assert keep(folder, run).stat().st_size < 700_000
    assert all_runs(folder, warn=refuse) == (run,)
