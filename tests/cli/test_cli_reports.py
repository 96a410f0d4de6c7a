"""`lab report`, and where the results of it and of `lab verify` go."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lab.errors import NOT_ALL_WELL, NOTHING_EVALUATED, OK, USAGE

Lab = Callable[..., Any]
Keep = Callable[..., Path]
AT = datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_a_report_is_a_page_unless_something_else_is_said(lab: Lab, keep: Keep, world: Any) -> None:
    keep(ana="pf", luis="uu")
    ran = lab("report")
    assert (ran.code, ran.out, ran.err) == (OK, "", "Written to report.html\n")
    page = world.project / "report.html"
    assert page.stat().st_mode & 0o777 == 0o600
    assert "Ana Núñez" in page.read_text(encoding="utf-8")
    assert world.calls("ssh") == []


def test_a_page_of_some_takes_no_place_of_the_class_s(lab: Lab, keep: Keep, world: Any) -> None:
    keep(ana="pf", luis="pp")
    (world.project / "report.html").write_text("the class")
    told = {
        ("ana",): "report-ana.html",
        ("hello/ana",): "report-hello-ana.html",
        ("hello",): "report-hello.html",
        ("ana", "luis"): "report-selection.html",
        ("l*",): "report-selection.html",
    }
    for targets, name in told.items():
        ran = lab("report", *targets)
        assert (ran.code, ran.err) == (OK, f"Written to {name}\n"), targets
        assert (world.project / name).exists()
    assert (world.project / "report.html").read_text() == "the class"


def test_a_students_page_of_several_is_warned_of(lab: Lab, keep: Keep) -> None:
    keep(ana="pf", luis="pp")
    warning = (
        "warning: This holds the names and points of all 3 students. "
        "For one of them: lab report LOGIN --audience student\n"
    )
    assert lab("report", "--audience", "student", "--format", "csv").err == warning
    assert lab("report", "ana", "--audience", "student", "--format", "csv").err == ""
    assert lab("report", "--format", "csv").err == ""


def test_a_report_is_of_each_students_own_attempt(lab: Lab, keep: Keep) -> None:
    keep(0, ana="pp", luis="ff")
    keep(1, ana="ff")
    ran = lab("report", "--format", "json", "--take", "best")
    told = {
        it["login"]: (it["score"], it["at"], len(it["checks"]))
        for it in ran.json["labs"][0]["students"]
    }
    assert told == {
        "ana": (2, AT.isoformat(), 2),
        "luis": (0, AT.isoformat(), 2),
        "marta": (None, None, 0),
    }
    assert ran.code == OK


def test_a_students_report_names_no_hidden_check(lab: Lab, keep: Keep) -> None:
    keep(ana="pF")
    for form in ("table", "json", "junit", "html", "csv", "markdown"):
        teachers = lab("report", "ana", "--format", form)
        students = lab("report", "ana", "--format", form, "--audience", "student")
        assert (teachers.code, students.code) == (OK, OK), form
        assert "web.2" in teachers.out or "Check 2" in teachers.out, form
        assert "web.2" not in students.out, form
        assert "Check 2" not in students.out, form


HIDDEN_CHECKS = """
@check("web.secret", hidden=True)
def test_secret(host):
    assert host.run("echo yes").stdout == "no\\n"

@check("web.behind", after=["web.secret"])
def test_behind(host):
    assert host.run("echo yes").stdout == "yes\\n"

@check("web.lost-secret", hidden=True, points="many")
def test_lost_secret(host):
    assert host.run("echo yes").stdout == "yes\\n"

@check("web.behind-lost", after=["web.lost-secret"])
def test_behind_lost(host):
    assert host.run("echo yes").stdout == "yes\\n"
"""


def test_a_students_report_names_no_hidden_check_by_way_of_others(lab: Lab, world: Any) -> None:
    """One that others come after, one whose mark is broken, and a file that cannot be read."""
    lab("up", "ana", "--no-bake")
    world.add_check(HIDDEN_CHECKS, name="zlast")
    world.add_check("import no_such_secret", name="broken")
    told = [
        ("verify", "ana", "--format", "json", "--hints", "full"),
        *(
            ("report", "ana", "--format", form, "--hints", hints)
            for form in ("table", "json", "junit", "html", "csv", "markdown")
            for hints in ("short", "full")
        ),
    ]
    for words in told:
        out = lab(*words, "--audience", "student").out
        assert out
        assert "secret" not in out, words
        assert "no_such" not in out, words
    ran = lab("report", "ana", "--format", "json", "--audience", "student")
    [ana] = ran.json["labs"][0]["students"]
    blocked = {it["id"]: it["blocked_by"] for it in ana["checks"] if it["blocked_by"]}
    assert blocked == {"web.behind": ["hidden-1"]}
    assert ana["complete"] is False
    assert "secret" in lab("report", "ana", "--format", "json").out
    assert "secret" not in lab("grades", "ana", "--format", "moodle", "--incomplete").out


def test_a_report_of_nothing_replaces_no_file(lab: Lab, world: Any) -> None:
    (world.project / "report.html").write_text("of yesterday")
    ran = lab("report")
    assert (ran.code, ran.out) == (NOTHING_EVALUATED, "")
    assert (world.project / "report.html").read_text() == "of yesterday"
    ran = lab("report", "--format", "json")
    assert ran.code == NOTHING_EVALUATED
    assert [it["outcome"] for it in ran.json["labs"][0]["students"]] == ["unknown"] * 3


# Where results go.


@pytest.mark.parametrize("command", ["grades", "report", "verify"])
def test_results_take_the_place_of_nothing_that_a_class_is_made_of(
    lab: Lab, keep: Keep, world: Any, command: str
) -> None:
    (world.project / "people.csv").write_text("login,name\neva,Eva\n")
    with (world.project / "labs.yaml").open("a") as labs:
        labs.write(
            "  other: {guide: tiny, box: debian-12, domain: example.org, roster: people.csv}\n"
        )
    (world.project / "Vagrantfile").write_text("# none")
    (world.project / ".vagrant").mkdir()
    (world.project / "linked.csv").symlink_to("people.csv")
    keep(ana="pp")
    kept = ("labs.yaml", "people.csv", "Vagrantfile", "provision/tiny/guide.yaml")
    before = (world.below(), [(world.project / name).read_bytes() for name in kept])
    places = {
        "labs.yaml": "the class's labs.yaml",
        "./provision/../labs.yaml": "the class's labs.yaml",
        "people.csv": "the roster of other",
        "linked.csv": "the roster of other",
        "Vagrantfile": "the class's Vagrantfile",
        ".lab/runs/marks.csv": "in the class's folder .lab",
        ".vagrant/marks.csv": "in the class's folder .vagrant",
        "provision/tiny/guide.yaml": "in the class's folder provision",
    }
    for place, what in places.items():
        ran = lab(command, "--format", "csv", "--output", place)
        assert (ran.code, ran.out) == (USAGE, ""), place
        assert f"{what}, and results would take its place" in ran.said
        assert "--output FILE" in ran.said
    after = (world.below(), [(world.project / name).read_bytes() for name in kept])
    assert after == before


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("marks.json", "{"),
        ("marks.xml", "<?xml"),
        ("marks.html", "<!doctype html"),
        ("marks.csv", "lab,login"),
        ("marks.MD", ""),
        ("marks.txt", ""),
        ("marks", ""),
    ],
)
def test_a_files_name_says_the_format(
    lab: Lab, keep: Keep, world: Any, name: str, begins: str
) -> None:
    keep(ana="pp")
    ran = lab("report", "ana", "--output", name)
    assert (ran.code, ran.out, ran.err) == (OK, "", f"Written to {name}\n")
    text = (world.project / name).read_text(encoding="utf-8")
    assert text.lower().startswith(begins)
    assert text.endswith("\n")
    assert "\x1b" not in text


def test_a_format_that_is_asked_for_goes_before_a_files_name(
    lab: Lab, keep: Keep, world: Any
) -> None:
    keep(ana="pp")
    lab("report", "ana", "--format", "json", "--output", "marks.html")
    json.loads((world.project / "marks.html").read_text())


def test_verify_writes_a_file_too(lab: Lab, world: Any) -> None:
    lab("up", "--no-bake")
    ran = lab("verify", "--output", "marks.csv")
    assert (ran.code, ran.out) == (OK, "")
    assert "Written to marks.csv" in ran.err
    assert (world.project / "marks.csv").stat().st_mode & 0o777 == 0o600
    kept = lab("grades", "--format", "json").json["grades"]
    assert [grade["mark"] for grade in kept] == [10, 10, 10]


def test_an_old_file_is_closed_to_others_and_a_link_stays_one(
    lab: Lab, keep: Keep, world: Any
) -> None:
    keep(ana="pp")
    real = world.project / "real.json"
    real.write_text("old")
    real.chmod(0o644)
    (world.project / "link.json").symlink_to(real)
    lab("report", "ana", "--output", "link.json")
    assert (world.project / "link.json").is_symlink()
    assert json.loads(real.read_text())["version"] == 1
    assert real.stat().st_mode & 0o777 == 0o600


def test_what_is_no_file_is_written_to_and_not_replaced(lab: Lab, keep: Keep) -> None:
    keep(ana="pp")
    assert lab("report", "ana", "--output", "/dev/null").code == OK
    assert not Path("/dev/null").is_file()
    ran = lab("report", "ana", "--output", "/dev/full")
    assert ran.code == NOT_ALL_WELL
    assert "/dev/full could not be written: No space left on device" in ran.err


def test_results_are_shown_even_when_they_cannot_be_kept(lab: Lab, world: Any) -> None:
    lab("up", "--no-bake")
    runs = world.project / ".lab/runs"
    runs.rmdir()
    runs.write_text("in the way")
    ran = lab("verify", "--format", "json")
    assert [it["score"] for it in ran.json["labs"][0]["students"]] == [4, 4, 4]
    assert ran.code == NOT_ALL_WELL
    assert f"The folder {runs} could not be made" in ran.err
    assert runs.read_text() == "in the way"


def test_runs_are_for_their_owner_alone(lab: Lab, world: Any) -> None:
    os.umask(0o022)
    lab("up", "ana", "--no-bake")
    lab("verify", "ana")
    [run] = (world.project / ".lab/runs").iterdir()
    assert run.stat().st_mode & 0o777 == 0o600
    assert run.parent.stat().st_mode & 0o777 == 0o700
