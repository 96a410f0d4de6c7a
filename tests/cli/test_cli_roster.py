"""`lab roster check`, and logins that stay when the roster changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lab.errors import NOT_ALL_WELL, OK, USAGE

Lab = Callable[..., Any]
LISTED = "students: [{login: ana, name: Ana Núñez, email: ana@example.org}, luis, marta]"
ROSTER = "Nombre;Dirección de correo;Contraseña\r\nAna Núñez;ana@example.org;secreto\r\n"


def give_roster(world: Any, text: str, *, encoding: str = "cp1252") -> None:
    (world.project / "students.csv").write_bytes(text.encode(encoding))
    if LISTED in (world.project / "labs.yaml").read_text(encoding="utf-8"):
        world.edit(LISTED, "roster: students.csv")


def test_a_roster_is_told_row_by_row_and_nothing_is_written(lab: Lab, world: Any) -> None:
    give_roster(world, ROSTER)
    ran = lab("roster", "check", "students.csv")
    assert (ran.code, ran.err) == (OK, "")
    lines = [line.rstrip() for line in ran.out.splitlines()]
    assert lines[0] == "students.csv: Windows-1252, semicolon, columns named on line 1"
    assert [line.split(None, 1)[1] for line in lines if line.startswith("Contraseña")] == [
        "not used"
    ]
    assert [line.split() for line in lines if "@" in line] == [
        ["2", "ana", "email", "Ana", "Núñez", "ana@example.org"]
    ]
    assert lines[-1] == "1 student, 0 problems"
    assert "secreto" not in ran.out
    assert world.below() == ["students.csv"]


def test_a_roster_with_problems_ends_with_2(lab: Lab, world: Any) -> None:
    give_roster(world, ROSTER + "Luis;nowhere;x\r\n")
    told = lab("roster", "check", "students.csv", "--format", "json")
    assert told.code == USAGE
    assert told.json["problems"] == [{"line": 3, "text": "`nowhere` is not an email address"}]
    assert [(it["login"], it["login_from"], it["problem"]) for it in told.json["rows"]] == [
        ("ana", "email", None),
        (None, None, "`nowhere` is not an email address"),
    ]
    assert "1 student, 1 problem" in lab("roster", "check", "students.csv").out


@pytest.mark.parametrize("name", ["\x1b[2J", "\u202eevil", "[red]", "=1+1"])
def test_what_a_roster_holds_is_shown_and_not_obeyed(lab: Lab, world: Any, name: str) -> None:
    give_roster(world, f"login,{name}\nana,x\neva,{name}\n", encoding="utf-8")
    ran = lab("roster", "check", "students.csv")
    assert ran.code == OK
    assert "\x1b" not in ran.out
    assert "\u202e" not in ran.out
    assert ("[red]" in ran.out) == (name == "[red]")


def test_no_class_is_needed(lab: Lab, world: Any) -> None:
    give_roster(world, ROSTER)
    (world.project / "labs.yaml").unlink()
    assert lab("roster", "check", "students.csv").code == OK
    missing = lab("roster", "check", "none.csv")
    assert (missing.code, missing.out) == (USAGE, "")
    assert "none.csv cannot be read" in missing.err


def test_validate_says_what_is_worth_a_look(lab: Lab, world: Any) -> None:
    give_roster(world, "login,emial\nana,ana@example.org\n")
    ran = lab("validate")
    assert ran.code == OK
    assert ran.err == (
        "note: students.csv:1: column `emial` is none that lab knows; did you mean `email`?\n"
    )


def test_whoever_has_a_machine_keeps_it_when_a_namesake_joins(lab: Lab, world: Any) -> None:
    give_roster(world, "name,email\nAna Gil,ana@example.org\n")
    assert lab("up").code == OK
    guests = world.guests
    assert set(guests) == {"hello-ana"}

    give_roster(world, "name,email\nAna Ruiz,ana@example.com\nAna Gil,ana@example.org\n")
    told = lab("roster", "check", "students.csv", "--format", "json").json
    assert [(it["name"], it["login_from"], it["clashed"]) for it in told["rows"]] == [
        ("Ana Ruiz", "email", "ana"),
        ("Ana Gil", "kept", None),
    ]
    logins = [row["login"] for row in told["rows"]]
    rows = lab("up", "--format", "json").json["machines"]
    assert {row["login"]: row["changed"] for row in rows} == {logins[0]: True, "ana": False}
    states = {
        row["login"]: row["state"] for row in lab("status", "--format", "json").json["machines"]
    }
    assert states == {logins[0]: "running", "ana": "running"}

    # Who leaves leaves an orphan, and not a machine for the next who would be called so.
    give_roster(world, "name,email\nAna Ruiz,ana@example.com\nAna Paz,ana@example.net\n")
    now = [
        row["login"]
        for row in lab("roster", "check", "students.csv", "--format", "json").json["rows"]
    ]
    assert now[0] == logins[0]
    assert now[1].startswith("ana-")
    labels = {it["machine"]: it["label"] for it in lab("plan", "--format", "json").json["machines"]}
    assert labels == {
        f"hello-{logins[0]}": "ok",
        f"hello-{now[1]}": "missing",
        "hello-ana": "orphan",
    }


UNO, DOS = "Ana Uno,ana@a.example\n", "Ana Dos,ana@b.example\n"


def logins_in(lab: Lab) -> dict[str, str]:
    rows = lab("roster", "check", "students.csv", "--format", "json").json["rows"]
    return {row["name"]: row["login"] for row in rows}


def test_logins_stay_when_the_machines_are_destroyed(lab: Lab, world: Any) -> None:
    give_roster(world, f"name,email\n{UNO}")
    assert lab("up").code == OK
    give_roster(world, f"name,email\n{UNO}{DOS}")
    assert lab("up").code == OK
    before = logins_in(lab)
    assert before["Ana Uno"] == "ana"

    assert lab("destroy", "--yes").code == OK
    assert world.guests == {}
    assert logins_in(lab) == before
    planned = {it["login"] for it in lab("plan", "--format", "json").json["machines"]}
    assert planned == set(before.values())
    graded = {it["login"] for it in lab("grades", "--format", "json").json["grades"]}
    assert graded == set(before.values())

    # Who leaves takes the login along, and whoever is left does not become `ana`.
    give_roster(world, f"name,email\n{DOS}")
    assert logins_in(lab) == {"Ana Dos": before["Ana Dos"]}
    give_roster(world, f"name,email\n{UNO}{DOS}")
    assert lab("up").code == OK
    assert set(world.guests) == {f"hello-{login}" for login in before.values()}

    # Orphans are forgotten no more than others.
    give_roster(world, f"name,email\n{DOS}")
    assert lab("destroy", "--orphans", "--yes").code == OK
    give_roster(world, f"name,email\n{DOS}{UNO}")
    assert logins_in(lab) == before


def test_who_had_a_login_in_another_lab_s_roster_is_nobody_here(lab: Lab, world: Any) -> None:
    give_roster(world, f"name,email\n{UNO}")
    labs = (world.project / "labs.yaml").read_text(encoding="utf-8")
    of_hello = labs.partition("  hello:\n")[2]
    more = "  other:\n" + of_hello.replace("students.csv", "others.csv")
    (world.project / "labs.yaml").write_text(labs + more, encoding="utf-8")
    (world.project / "others.csv").write_text(f"name,email\n{DOS}", encoding="utf-8")
    assert lab("up").code == OK
    assert set(world.guests) == {"hello-ana", "other-ana"}
    for name in ("students.csv", "./others.csv"):
        told = lab("roster", "check", name, "--format", "json").json
        assert [(it["login"], it["login_from"]) for it in told["rows"]] == [("ana", "kept")]
    # A list that labs.yaml does not name yet may be for any of them.
    (world.project / "new.csv").write_text("name,email\nAna,ana@c.example\n", encoding="utf-8")
    [row] = lab("roster", "check", "new.csv", "--format", "json").json["rows"]
    assert row["login"].startswith("ana-")


def test_a_seat_that_goes_to_somebody_else_is_told_until_up(lab: Lab, world: Any) -> None:
    give_roster(world, "login,name\npc01,Ana Vieja\n")
    assert lab("up").code == OK
    give_roster(world, "login,name\npc01,Ben Nuevo\n")
    warning = (
        "warning: students.csv:2: `pc01` was the login of `Ana Vieja`, whose machine and work are"
        " still there; to begin afresh: lab destroy hello/pc01"
    )
    assert warning in lab("roster", "check", "students.csv").said
    assert lab("validate").err == f"{warning}\n"
    assert warning in lab("up").said
    # Now it is theirs.
    assert lab("validate").err == ""
    assert (lab("up").code, set(world.guests)) == (OK, {"hello-pc01"})


def test_a_damaged_note_of_logins_is_told_and_a_lost_one_is_made_of_the_machines(
    lab: Lab, world: Any
) -> None:
    give_roster(world, f"name,email\n{UNO}")
    lab("up")
    give_roster(world, f"name,email\n{UNO}{DOS}")
    lab("up")
    before, note = logins_in(lab), world.project / ".lab/state/logins.jsonl"
    text = note.read_text(encoding="utf-8")

    note.write_text("{" + text, encoding="utf-8")
    for words in (
        ("validate",),
        ("plan",),
        ("up",),
        ("grades",),
        ("roster", "check", "students.csv"),
    ):
        ran = lab(*words)
        assert (ran.code, ran.out) == (NOT_ALL_WELL, "")
        assert f"{note}:1 is damaged" in ran.said
    note.unlink()
    assert logins_in(lab) == before
    assert lab("destroy", "--yes").code == OK
    assert note.read_text(encoding="utf-8") == text


def test_in_a_narrow_window_namesakes_can_still_be_told_apart(
    lab: Lab, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    (world.project / "s.csv").write_text(
        "name,email,id number,group\n"
        "José García Fernández,jose@gmail.com,11111111A,1º DAW de tarde\n"
        "José García Fernández,jose@gmail.es,22222222B,1º DAW de tarde\n"
    )
    out = lab("roster", "check", "s.csv").out
    for words in ("jose@gmail.com", "jose@gmail.es", "11111111A", "22222222B"):
        assert words in out
