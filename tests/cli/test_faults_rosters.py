"""Rosters as schools export them, and broken ones: through `lab up`, or refused before anything is made."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

import pytest

from lab.errors import OK, USAGE

Lab = Callable[..., Any]
LISTED = "students: [{login: ana, name: Ana Núñez, email: ana@example.org}, luis, marta]"
EXCEL = (
    "Nombre;Apellido(s);Dirección de correo;Grupos\r\n"
    "Ana;Núñez Ibáñez;ana.nunez@example.org;1ºA\r\n"
    "Íñigo;Muñoz;Inigo.Munoz@example.org;1ºA\r\n"
    ";;;\r\n"
)


def said_of(student: Any) -> str:
    """What the check `web.who` says of a student."""
    [message] = [check["message"] for check in student["checks"] if check["id"] == "web.who"]
    return str(message)


def give_roster(world: Any, raw: bytes) -> None:
    (world.project / "students.csv").write_bytes(raw)
    if LISTED in (world.project / "labs.yaml").read_text(encoding="utf-8"):
        world.edit(LISTED, "roster: students.csv")


@pytest.mark.parametrize("encoding", ["cp1252", "utf-8", "utf-8-sig", "utf-16"])
def test_what_excel_and_moodle_save_is_a_class(lab: Lab, world: Any, encoding: str) -> None:
    give_roster(world, EXCEL.encode(encoding))
    world.add_check(
        '@check("web.who")\ndef test_who(student):\n    assert False, f"{student.name} <{student.email}>"\n'
    )

    assert lab("up").code == OK
    students = lab("verify", "--format", "json").json["labs"][0]["students"]

    assert [(it["login"], said_of(it)) for it in students] == [
        ("ana-nunez", "Ana Núñez Ibáñez <ana.nunez@example.org>"),
        ("inigo-munoz", "Íñigo Muñoz <Inigo.Munoz@example.org>"),
    ]


@pytest.mark.parametrize(
    ("raw", "places"),
    [
        (b"", ["1: the file is empty"]),
        (b"group;tutor\na;b\n", ["1: no column tells who the students are"]),
        (b"login;login\na;b\n", ["1: columns `login` and `login` say the same"]),
        (
            b"login;name\na\nb;B;more\nc;C\n",
            ["2: this line has 1 cells", "3: this line has 3 cells"],
        ),
        (b"login\nan\0a\neva\nx\0\n", ["2: this line holds a NUL", "4: this line holds a NUL"]),
        (
            b"login;email\na;x@x.org\nb;X@x.org\nc;x@X.ORG\n",
            [
                "3: `X@x.org` is also the email of line 2",
                "4: `x@X.ORG` is also the email of line 2",
            ],
        ),
        (b"login\n../x\nroot\n0\n\x22ana\n", ["5: this cannot be read as CSV"]),
        (b"login\n../x\nroot\n0\n", ["2: the login", "3: the login", "4: the login"]),
        (b"login\n" + b"0\n" * 2_000_000, ["10001: the file has more than 10000 lines"]),
        (b"login" + b"," * 4_000_000, ["1: this cannot be read as CSV: more than 1000 cells"]),
        (b"login\n" + b"x" * 5_000_000, ["1: the file is larger than 5 MB"]),
        (b"login\nana\n\x81\x8d\n", ["3: this is neither UTF-8 nor Windows-1252"]),
    ],
)
def test_a_broken_roster_is_told_row_by_row_and_nothing_is_made(
    lab: Lab, world: Any, raw: bytes, places: list[str]
) -> None:
    give_roster(world, raw)
    for command in (("validate",), ("up",), ("verify",)):
        ran = lab(*command)
        assert (ran.code, ran.out) == (USAGE, "")
        lines = [line.strip() for line in ran.err.splitlines() if "students.csv:" in line]
        assert len(lines) == len(places)
        for line, place in zip(lines, places, strict=True):
            assert line.startswith(f"students.csv:{place}")
    assert world.below() == ["students.csv"]
    assert world.guests == {}


def test_a_roster_of_a_megabyte_of_problems_is_told_in_bounds(lab: Lab, world: Any) -> None:
    give_roster(world, b"login\n" + b"0\n" * 9_999)
    ran = lab("validate")
    assert ran.code == USAGE
    assert "students.csv has 9999 problems" in ran.err
    assert ran.err.count("students.csv:") == 50
    assert "and 9949 more" in ran.err


def test_namesakes_keep_their_machines_when_the_roster_is_sorted_anew(lab: Lab, world: Any) -> None:
    names = ["José", "Jose", "Muñoz", unicodedata.normalize("NFD", "Muñoz"), "Ana"]
    world.add_check('@check("web.who")\ndef test_who(student):\n    assert False, student.name\n')

    def named() -> dict[str, str]:
        students = lab("verify", "--format", "json").json["labs"][0]["students"]
        return {it["login"]: said_of(it) for it in students}

    give_roster(world, "\n".join(["name", *names]).encode())
    assert lab("up").code == OK
    before, guests = named(), world.guests
    assert sorted(before.values()) == sorted(names)
    assert len(before) == len(guests) == 5

    give_roster(world, "\n".join(["name", *reversed(names)]).encode())
    rows = lab("up", "--format", "json").json["machines"]
    assert [(row["ok"], row["changed"]) for row in rows] == [(True, False)] * 5
    assert (named(), world.guests) == (before, guests)
    assert {row["state"] for row in lab("status", "--format", "json").json["machines"]} == {
        "running"
    }
