"""A tiny guide on real machines: one student's failure is theirs alone, and is taken up where it stopped."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.machines.conftest import BOX, ClassFolder

LABS_YAML = f"""\
defaults: {{box: {BOX}, domain: example.org}}
labs:
  tiny:
    vars: {{greeting: "hello; $(id) 'world'"}}
    students: [ana, luis, marta]
"""
GUIDE_YAML = """\
name: tiny
title: {en: Tiny, es: Pequeña}
steps:
  - {name: shared, scope: class, title: {en: Shared}}
  - {name: own, scope: student, title: {en: Own}}
  - {name: last, scope: student, title: {en: Last}}
"""
CHECKS = """\
import pytest

@pytest.mark.check(id="own.file", step="own", title="Own file", points=2)
def test_own(host, student):
    file = host.file(f"/srv/{student.login}")
    assert file.exists, f"{file.path} does not exist"

@pytest.mark.check(id="last.greeting", step="last", title="Greeting", after=["own.file"])
def test_last(host, student):
    found = host.file("/srv/greeting").content_string
    assert found == student.vars["greeting"], f"found {found!r}"
"""


@pytest.fixture(scope="module")
def tiny(new_class: Callable[[str, str], ClassFolder]) -> ClassFolder:
    folder = new_class("tiny", LABS_YAML)
    guide = folder.path / "provision/tiny"
    (guide / "steps").mkdir(parents=True)
    (guide / "checks").mkdir()
    (guide / "guide.yaml").write_text(GUIDE_YAML)
    (guide / "checks/test_tiny.py").write_text(CHECKS)
    write_step(guide, "shared", "echo shared >>/srv/runs")
    write_step(guide, "last", 'printf %s "$LAB_GREETING" >/srv/greeting; echo last >>/srv/runs')
    write_step(
        guide,
        "own",
        'echo own >>/srv/runs; echo "about to look"; [ "$LAB_LOGIN" != luis ] || { echo "no luck" >&2; exit 3; }\n'
        'echo "$LAB_NAME" >"/srv/$LAB_LOGIN"',
    )
    return folder


def write_step(guide: Path, name: str, script: str) -> None:
    (guide / f"steps/{name}.sh").write_text(f"#!/bin/bash\nset -euo pipefail\n{script}\n")


def test_one_student_fails_and_the_others_are_finished(tiny: ClassFolder) -> None:
    document = tiny.json("up", exit_code=1)

    rows = {row["login"]: row for row in document["machines"]}
    assert {login: row["ok"] for login, row in rows.items()} == {
        "ana": True, "luis": False, "marta": True,
    }  # fmt: skip
    luis = rows["luis"]
    assert luis["failed_step"] == "own"
    assert luis["message"] == "step own ended with exit code 3"
    assert luis["tail"][-1] == "no luck"
    assert luis["retry"] == "lab up tiny/luis"
    assert "no luck" in Path(luis["log"]).read_text()

    states = {
        row["login"]: (row["state"], row["steps_done"]) for row in tiny.json("status")["machines"]
    }
    assert states == {"ana": ("running", 3), "luis": ("failed", 1), "marta": ("running", 3)}


def test_what_failed_is_blamed_and_what_depends_on_it_blocked(tiny: ClassFolder) -> None:
    assert tiny.outcomes() == {
        "ana": {},
        "luis": {"own.file": "failed", "last.greeting": "blocked"},
        "marta": {},
    }


def test_a_mended_step_is_where_up_goes_on(tiny: ClassFolder) -> None:
    write_step(
        tiny.path / "provision/tiny",
        "own",
        'echo own2 >>/srv/runs; echo "$LAB_NAME" >"/srv/$LAB_LOGIN"',
    )
    tiny.lab("up")

    # The step was edited, so it runs again for everyone, with what follows it; the one before does not.
    assert tiny.root("ana", "cat /srv/runs").split() == ["shared", "own", "last", "own2", "last"]
    assert tiny.root("luis", "cat /srv/runs").split() == ["shared", "own", "own2", "last"]
    assert tiny.outcomes() == {"ana": {}, "luis": {}, "marta": {}}


def test_only_what_is_asked_for_is_forced(tiny: ClassFolder) -> None:
    tiny.lab("provision", "marta", "--step", "last", "--force")
    assert tiny.root("marta", "cat /srv/runs").split() == [
        "shared",
        "own",
        "last",
        "own2",
        "last",
        "last",
    ]


def test_plain_vagrant_makes_the_same_machine(tiny: ClassFolder) -> None:
    tiny.vagrant("destroy", "-f", "tiny-marta")
    tiny.vagrant("up", "tiny-marta")

    assert tiny.root("marta", "cat /srv/runs").split() == ["shared", "own2", "last"]
    assert tiny.root("marta", "cat /srv/greeting") == "hello; $(id) 'world'"
    document = tiny.json("up", "marta")
    assert [(row["ok"], row["changed"]) for row in document["machines"]] == [(True, False)]
    assert tiny.outcomes("marta") == {"marta": {}}


def test_a_machine_deleted_behind_labs_back_is_made_anew(tiny: ClassFolder) -> None:
    name = next(
        line
        for line in (tiny.path / "Vagrantfile").read_text().splitlines()
        if "container: " in line
    ).split("'")[1]
    subprocess.run(["lxc-destroy", "--force", "--name", name], check=True, capture_output=True)
    assert [row["state"] for row in tiny.json("status", "ana")["machines"]] == ["missing"]

    tiny.lab("up", "ana")

    assert tiny.outcomes("ana") == {"ana": {}}


def test_a_student_who_left_is_an_orphan_until_asked_for(tiny: ClassFolder) -> None:
    labs_yaml = tiny.path / "labs.yaml"
    labs_yaml.write_text(LABS_YAML.replace("[ana, luis, marta]", "[ana, luis]"))
    tiny.lab("up")
    rows = {row["machine"]: row["state"] for row in tiny.json("status")["machines"]}
    assert rows == {"tiny-ana": "running", "tiny-luis": "running", "tiny-marta": "orphan"}

    tiny.lab("destroy", "--orphans", exit_code=2)
    tiny.lab("destroy", "--orphans", "--yes")

    rows = {row["machine"]: row["state"] for row in tiny.json("status")["machines"]}
    assert rows == {"tiny-ana": "running", "tiny-luis": "running"}


def test_destroyed_is_gone_and_twice_is_no_error(tiny: ClassFolder) -> None:
    tiny.lab("destroy", "--yes")
    assert {row["state"] for row in tiny.json("status")["machines"]} == {"missing"}
    tiny.lab("destroy", "--yes")
    assert tiny.outcomes("ana")["ana"].keys() == {"own.file", "last.greeting"}
