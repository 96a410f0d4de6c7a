"""`isolation` and `internet` in labs.yaml, and `lab verify --isolation`, on stub programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lab.errors import HOST, NOT_ALL_WELL, NOTHING_EVALUATED, OK, USAGE

Lab = Callable[..., Any]


def write(world: Any, line: str) -> None:
    path = world.project / "labs.yaml"
    path.write_text(path.read_text(encoding="utf-8") + f"    {line}\n", encoding="utf-8")


@pytest.mark.parametrize("form", ["junit", "html", "csv", "markdown"])
def test_it_is_written_in_two_forms_only(lab: Lab, world: Any, form: str) -> None:
    ran = lab("verify", "--isolation", "--format", form)
    assert (ran.code, ran.out) == (USAGE, "")
    assert f"What --isolation finds is not written as {form}" in ran.err
    assert "--format table or --format json" in ran.err


def test_a_file_s_name_says_the_form(lab: Lab, world: Any) -> None:
    assert lab("verify", "--isolation", "--output", "found.xml").code == USAGE
    assert not (world.project / "found.xml").exists()


@pytest.mark.parametrize(
    ("words", "given"),
    [
        (("--hints", "full"), "--hints"),
        # As by default, and said all the same.
        (("--audience", "teacher"), "--audience"),
        (("--lang", "es", "--hints", "none"), "--hints, --lang"),
    ],
)
def test_options_of_checks_are_refused(
    lab: Lab, world: Any, words: tuple[str, ...], given: str
) -> None:
    ran = lab("verify", "--isolation", *words)
    assert (ran.code, ran.out) == (USAGE, "")
    assert f"--isolation runs no checks, and takes no {given}" in ran.said
    assert f"Leave out {given}; or leave out --isolation" in ran.said


def test_what_the_environment_says_of_checks_is_left_aside(
    lab: Lab, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("HINTS", "full"), ("AUDIENCE", "student"), ("LANG", "es")):
        monkeypatch.setenv(f"LAB_{name}", value)
    assert lab("verify", "--isolation").code == NOTHING_EVALUATED


def test_a_class_that_does_not_run_proves_nothing_and_is_not_kept(lab: Lab, world: Any) -> None:
    ran = lab("verify", "--isolation", "--format", "json")
    assert ran.code == NOTHING_EVALUATED
    assert [(row["machine"], row["outcome"], row["unknown"]) for row in ran.json["isolation"]] == [
        (f"hello-{login}", "unknown", [{"machine": None, "why": "there is no such machine"}])
        for login in ("ana", "luis", "marta")
    ]
    assert lab("history", "ana").code == NOTHING_EVALUATED


def test_one_machine_without_the_internet_is_worth_a_bake(lab: Lab, world: Any) -> None:
    write(world, "internet: off")
    assert lab("up", "ana").code == OK
    assert "box: 'lab-bake/tiny-" in (world.project / "Vagrantfile").read_text()


def test_class_steps_without_the_internet_are_refused(lab: Lab, world: Any) -> None:
    write(world, "internet: off")
    ran = lab("up", "--no-bake")
    assert ran.code == USAGE
    assert "Machines of hello reach no internet (`internet: off`)" in ran.err
    assert "lab up, without --no-bake" in ran.err
    assert world.guests == {}


def test_a_failed_step_without_the_internet_says_so(lab: Lab, world: Any) -> None:
    write(world, "internet: off")
    world.fault(steps={"hello-ana": "app"})
    ran = lab("up", "--format", "json")
    assert ran.code == NOT_ALL_WELL
    [message] = [it["message"] for it in ran.json["machines"] if not it["ok"]]
    assert message.endswith("(with `internet: off` only class steps can download, in a bake)")


def test_nothing_boots_where_machines_cannot_be_kept_apart(lab: Lab, world: Any) -> None:
    (world.root / "bin" / "isolate").write_text("#!/bin/sh\necho 'no such family' >&2\nexit 1\n")
    ran = lab("up", "--no-bake")
    assert ran.code == HOST
    assert "The machines cannot be kept apart on the bridge lo" in ran.err
    assert "no such family" in ran.err
    assert world.guests == {}
    write(world, "isolation: off")
    assert lab("up", "--no-bake").code == OK
