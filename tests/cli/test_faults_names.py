"""Names, logins and paths that would do something if anybody took them for more than words."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.errors import NOT_ALL_WELL, OK, USAGE
from tests.unit.test_vagrantfile import evaluated, inline, needs_ruby, of_machine, told

Lab = Callable[..., Any]
LOGINS = ("ana", "luis", "marta", "eva", "pep", "zoe", "leo")
# What a check says of the student, so that the name is in every report.
SAYS_NAME = """
@check("web.name")
def test_name(student):
    assert False, f"{student.name}|{student.email}|{student.vars['motto']}"
"""


def hostile(mark: Path) -> list[str]:
    """Words that make the file `mark` wherever they are run instead of read."""
    return [
        f"Ana #{{File.write('{mark}','x')}}",
        f"' + File.write('{mark}', 'x').to_s + '",
        f"\\' + `touch {mark}` + \\'",
        f"$(touch {mark})",
        f"`touch {mark}`",
        f"'; touch {mark}; '\"; touch {mark}; \"",
        f"{{{{ ''.__class__ }}}} {{% raw %}} %x(touch {mark}) [link=x]",
    ]


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return tmp_path / "mark"


def name_all(world: Any, names: list[str]) -> None:
    """A class in which every field that is free text holds what is hostile."""
    students = [
        {
            "login": login,
            "name": name,
            "email": f"{login}$(id)`id`'#{{1}}@example.org",
            "vars": {"motto": name},
        }
        for login, name in zip(LOGINS, names, strict=True)
    ]
    world.edit(
        "[{login: ana, name: Ana Núñez, email: ana@example.org}, luis, marta]", json.dumps(students)
    )
    world.add_check(SAYS_NAME)


@needs_ruby
def test_hostile_names_do_nothing_and_stay_as_they_are(
    lab: Lab, world: Any, mark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    names = hostile(mark)
    name_all(world, names)
    emails = [f"{login}$(id)`id`'#{{1}}@example.org" for login in LOGINS]

    assert [lab(*words).code for words in (("up", "--no-bake"), ("status",))] == [OK] * 2
    ran = lab("verify")

    assert ran.code == NOT_ALL_WELL
    kept = lab("report", "--format", "json")
    said = [
        check["message"]
        for student in kept.json["labs"][0]["students"]
        for check in student["checks"]
        if check["id"] == "web.name"
    ]
    assert said == [f"{name}|{email}|{name}" for name, email in zip(names, emails, strict=True)]
    assert all(f"({name}): " in ran.out for name in names)
    [events] = evaluated(world.project / "Vagrantfile")
    for login, name, email in zip(LOGINS, names, emails, strict=True):
        words = shlex.split(inline(of_machine(events, f"hello-{login}"), "app"))
        assert {f"LAB_NAME={name}", f"LAB_EMAIL={email}", f"LAB_MOTTO={name}"} <= set(words)
    assert lab("destroy", "--yes").code == OK
    assert not mark.exists()


def test_a_roster_s_hostile_names_do_nothing(lab: Lab, world: Any, mark: Path) -> None:
    out = io.StringIO()
    csv.writer(out).writerows([["login", "name"], *zip(LOGINS, hostile(mark), strict=True)])
    (world.project / "students.csv").write_text(out.getvalue(), encoding="utf-8")
    world.edit(
        "students: [{login: ana, name: Ana Núñez, email: ana@example.org}, luis, marta]",
        "roster: students.csv",
    )

    assert lab("up").code == OK
    assert lab("verify").code == OK
    assert sorted(world.guests) == sorted(f"hello-{login}" for login in LOGINS)
    assert not mark.exists()


@needs_ruby
def test_a_folder_with_a_hostile_name_is_a_folder(
    lab: Lab, world: Any, mark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = (
        world.project.parent
        / "c #{File.write('mark','x')} $(touch mark) `touch mark` 'a' \"b\" ñ\\"
    )
    world.project.rename(folder)
    monkeypatch.chdir(folder)

    assert [lab(*words).code for words in (("up",), ("verify",), ("status",), ("logs",))] == [
        OK
    ] * 4
    [events] = evaluated(folder / "Vagrantfile")
    mine = of_machine(events, "hello-ana")
    assert told(mine, "private_key_path=") == [[f"{folder}/.lab/ssh/hello-ana/admin"]]
    hooks = {key: shlex.split(text)[3:] for key, text in told(mine, "customize")}
    assert hooks["hook.pre-start"] == [f"{folder}/.lab/seed", f"{folder}/.lab/ssh/hello-ana"]
    assert hooks["net.0.script.up"] == [f"{folder}/.lab/isolate"]
    assert lab("destroy", "--yes").code == OK
    assert not list(folder.parent.rglob("mark"))


PATHS = (
    "../../x",
    "a/b",
    ".",
    "..",
    "a\nb",
    "a\0b",
    "/etc/x",
    "-a",
    "~",
    "a b",
    "A",
    "",
    "0x0",
    "root",
)


# A lab may be called so, and a roster's capitals fold away.
ALLOWED = {("lab", "root"), ("roster", "A")}


@pytest.mark.parametrize(
    ("place", "word"),
    [
        (place, word)
        for place in ("login", "lab", "roster")
        for word in PATHS
        if (place, word) not in ALLOWED
    ],
)
def test_a_login_or_lab_that_is_a_path_makes_nothing(
    lab: Lab, world: Any, place: str, word: str
) -> None:
    before = sorted(world.project.parent.rglob("*"))
    if place == "login":
        world.edit("luis", json.dumps(word))
    elif place == "lab":
        world.edit("hello:", f"{json.dumps(word)}:")
    else:
        out = io.StringIO()
        csv.writer(out).writerows([["login", "x"], ["ana", ""], [word or " ", "x"]])
        (world.project / "students.csv").write_text(out.getvalue(), encoding="utf-8")
        before.append(world.project / "students.csv")
        world.edit(
            "students: [{login: ana, name: Ana Núñez, email: ana@example.org}, luis, marta]",
            "roster: students.csv",
        )

    for command in (("validate",), ("up",), ("verify",), ("destroy", "--yes")):
        ran = lab(*command)
        assert (ran.code, ran.out) == (USAGE, "")
        assert re.search(r"(labs\.yaml|students\.csv):\d+", ran.err)
    assert sorted(world.project.parent.rglob("*")) == sorted(before)


@pytest.mark.parametrize(
    "target", ["../../x", "/etc/passwd", ".", "hello/../ana", "a\nb", "$(touch mark)"]
)
def test_a_target_that_is_a_path_touches_nothing(lab: Lab, world: Any, target: str) -> None:
    lab("up", "ana")
    before = {path: path.read_bytes() for path in world.project.rglob("*") if path.is_file()}
    for command in (("up",), ("logs",), ("verify",), ("halt",), ("destroy", "--yes"), ("ssh",)):
        assert lab(*command, target).code == USAGE
    assert {
        path: path.read_bytes() for path in world.project.rglob("*") if path.is_file()
    } == before
    assert world.guests == {"hello-ana": "RUNNING"}


def test_ruby_is_here_to_read_vagrantfiles() -> None:
    """Without it, the tests above would only be skipped."""
    assert shutil.which("ruby") is not None
