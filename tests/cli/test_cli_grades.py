"""`lab grades` and `lab history`: marks out of what verify has kept."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lab.errors import NOT_ALL_WELL, NOTHING_EVALUATED, OK, USAGE

Lab = Callable[..., Any]
Keep = Callable[..., Path]
AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
TWO_LABS = """
labs:
  hello:
    {guide: tiny, box: debian-12, domain: example.org, students: [ana, luis]}
  other:
    {guide: tiny, box: debian-12, domain: example.org, students: [ana], lang: es}
"""


def marks(ran: Any) -> dict[str, float | None]:
    return {grade["login"]: grade["mark"] for grade in ran.json["grades"]}


def test_grades_are_the_last_or_the_best_attempts_until_a_moment(lab: Lab, keep: Keep) -> None:
    keep(0, ana="pp", luis="fp")
    keep(1, ana="pf")
    keep(2, ana="ff", luis="uu")
    told = [
        ((), {"ana": 0, "luis": 5, "marta": None}),
        (("--take", "best"), {"ana": 10, "luis": 5, "marta": None}),
        (("--at", "2026-03-02T13:00Z"), {"ana": 5, "luis": 5, "marta": None}),
        (("--at", "2026-03-02T12:59:59Z"), {"ana": 10, "luis": 5, "marta": None}),
        (("--scale", "5", "luis"), {"luis": 2.5}),
    ]
    for words, expected in told:
        ran = lab("grades", *words, "--format", "json")
        assert (ran.code, marks(ran), ran.err) == (OK, expected, ""), words


def test_environment_twins(lab: Lab, keep: Keep, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(0, ana="pp")
    keep(1, ana="pf")
    monkeypatch.setenv("LAB_TAKE", "best")
    monkeypatch.setenv("LAB_SCALE", "100")
    monkeypatch.setenv("LAB_LANG", "es")
    [ana] = lab("grades", "ana", "--format", "json").json["grades"]
    assert (ana["mark"], ana["feedback"]) == (100, "2/2 comprobaciones")
    monkeypatch.setenv("LAB_AT", "2026-03-01")
    assert lab("grades").code == NOTHING_EVALUATED
    monkeypatch.setenv("LAB_LANG", "fr")
    assert lab("grades").code == USAGE
    # An empty variable is none, as with every other of them.
    monkeypatch.setenv("LAB_LANG", "")
    monkeypatch.setenv("LAB_AT", "")
    assert lab("grades").code == OK


def test_grades_as_a_table(lab: Lab, keep: Keep) -> None:
    keep(ana="pfu", luis="pp")
    ran = lab("grades")
    assert ran.code == OK
    rows = [" ".join(line.split()) for line in ran.out.splitlines()]
    when = f"{AT.astimezone():%Y-%m-%d %H:%M}"
    assert rows[0] == "login name mark (of 10) points attempts when"
    assert rows[2:5] == [
        f"ana Ana Núñez 5.00 1 of 3, 1 not evaluated 1 {when}",
        f"luis luis 10.00 2 of 2 1 {when}",
        "marta marta - not evaluated 0 -",
    ]
    assert rows[6:] == [
        "2 of 3 have a mark",
        "Not everything could be evaluated: ana. Their marks are out of what was.",
    ]
    assert "nota (sobre 10)" in lab("grades", "--lang", "es").out
    assert "5,00" in lab("grades", "--lang", "es").out


def test_grades_as_csv(lab: Lab, keep: Keep, world: Any) -> None:
    world.edit("name: Ana Núñez", 'name: "=cmd()"')
    keep(ana="pff")
    ran = lab("grades", "ana", "luis", "--format", "csv")
    ana, luis = csv.DictReader(io.StringIO(ran.out))
    assert ana == {
        "lab": "hello",
        "login": "ana",
        "name": "'=cmd()",
        "email": "ana@example.org",
        "id_number": "",
        "mark": "3.33",
        "scale": "10",
        "score": "1",
        "max_score": "3",
        "total_points": "3",
        "complete": "true",
        "attempts": "1",
        "at": AT.astimezone().isoformat(timespec="seconds"),
        "feedback": "1/3 checks. Failed: Check 2; Check 3",
    }
    assert [luis[key] for key in ("mark", "score", "complete", "at", "feedback")] == [""] * 5


def test_nothing_evaluated_is_4_and_no_mark_is_made_up(lab: Lab, keep: Keep, world: Any) -> None:
    (world.project / "marks.csv").write_text("of yesterday")
    for _ in range(2):
        ran = lab("grades", "--format", "json")
        assert (ran.code, set(marks(ran).values())) == (NOTHING_EVALUATED, {None})
        assert "Nothing has been evaluated yet" in ran.err
        ran = lab("grades", "--output", "marks.csv")
        assert (ran.code, ran.out) == (NOTHING_EVALUATED, "")
        assert (world.project / "marks.csv").read_text() == "of yesterday"
        keep(ana="uu")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("grades", "--at", "soon"), "'soon' is not a moment"),
        (("grades", "--at", ""), "'' is not a moment"),
        (("report", "--at", " "), "' ' is not a moment"),
        (("grades", "--scale", "0"), "There are no marks on a scale of 0"),
        (("grades", "--scale", "nan"), "There are no marks on a scale of nan"),
        (("grades", "--scale", "-1"), "There are no marks on a scale of -1"),
        (("grades", "--take", "worst"), "worst"),
        (("grades", "--format", "junit"), "junit"),
        (("grades", "nobody"), "No lab and no student is called 'nobody'"),
        (("grades", "--output", "no/such/file.csv"), "There is no folder no/such"),
        (("grades", "--output", "provision"), "provision is a folder"),
        (("grades", "--worksheet", "none.csv"), "none.csv could not be read: No such file"),
        (("grades", "--worksheet", "labs.yaml", "--format", "csv"), "has a format of its own"),
        (("report", "--at", "2026-02-30"), "'2026-02-30' is not a moment"),
        (("report", "--lang", "fr"), "fr"),
        (("report", "nobody"), "No lab and no student is called 'nobody'"),
        (("report", "--output", "no/such/page.html"), "There is no folder no/such"),
        (("verify", "--lang", "fr"), "fr"),
        (("verify", "--hints", "all"), "all"),
        (("verify", "--format", "xml"), "xml"),
        (("verify", "--output", "no/such/page.html"), "There is no folder no/such"),
        (("history", "anna"), "No student is, or was, called 'anna'; did you mean ana?"),
        (("history", "other/ana"), "No student is, or was, called 'other/ana'"),
        (("history", "ana", "--scale", "inf"), "There are no marks on a scale of inf"),
        (("history",), "LOGIN"),
    ],
    ids=lambda it: " ".join(it) if isinstance(it, tuple) else "",
)
def test_what_cannot_be_is_2(
    lab: Lab, keep: Keep, world: Any, words: tuple[str, ...], said: str
) -> None:
    keep(ana="pp")
    before = world.below()
    ran = lab(*words)
    assert (ran.code, ran.out) == (USAGE, "")
    assert said in ran.said
    assert world.below() == before


def test_who_is_on_no_roster_any_more_has_a_history_and_no_mark(
    lab: Lab, keep: Keep, world: Any
) -> None:
    keep(ana="pp", eva="pf")
    assert "eva" not in marks(lab("grades", "--format", "json"))
    ran = lab("history", "eva")
    assert (ran.code, "hello/eva" in ran.out) == (OK, True)


# History.


def test_a_history_is_every_attempt_and_what_it_changed(lab: Lab, keep: Keep) -> None:
    keep(0, ana="fp", identity="lxc:aaaaaaaa")
    keep(1, ana="pp", luis="fp", identity="lxc:bbbbbbbb")
    keep(2, ana="pf", identity="lxc:bbbbbbbb")
    ran = lab("history", "ana", "--format", "json")
    assert ran.code == OK
    [found] = ran.json["labs"]
    assert (found["lab"], found["login"], found["name"]) == ("hello", "ana", "Ana Núñez")
    keys = ("identity", "made_anew", "counts", "taken_as", "mark", "turned_passed", "turned_failed")
    assert [tuple(it[key] for key in keys) for it in found["attempts"]] == [
        ("lxc:aaaaaaaa", False, False, [], 5, [], []),
        ("lxc:bbbbbbbb", True, True, ["best"], 10, [], []),
        ("lxc:bbbbbbbb", False, True, ["last"], 5, [], ["web.2"]),
    ]
    table = lab("history", "hello/ana")
    assert table.code == OK
    for words in ("aaaaaaaa", "bbbbbbbb", "fails now: web.2", "another machine's", "made anew"):
        assert words in table.out, words
    assert "ahora fallidas: web.2" in lab("history", "ana", "--lang", "es").out


def test_no_history_is_4_and_says_what_to_do(lab: Lab) -> None:
    ran = lab("history", "ana")
    assert ran.code == NOTHING_EVALUATED
    assert "lab verify" in ran.err


def test_a_history_of_several_labs(lab: Lab, keep: Keep, world: Any) -> None:
    (world.project / "labs.yaml").write_text(TWO_LABS)
    keep(0, ana="pp", lab="other")
    keep(1, ana="pf", lab="hello")
    told = lab("history", "ana", "--format", "json").json["labs"]
    assert [(it["lab"], len(it["attempts"])) for it in told] == [("hello", 1), ("other", 1)]
    [other] = lab("history", "other/ana", "--format", "json").json["labs"]
    assert other["attempts"][0]["mark"] == 10


# What is wrong with a history.


def test_a_damaged_run_is_told_of_and_does_not_count(lab: Lab, keep: Keep) -> None:
    keep(0, ana="pp")
    newest = keep(1, ana="ff")
    newest.write_text(newest.read_text()[:-20])
    for words in (("grades", "ana"), ("report", "ana"), ("history", "ana")):
        ran = lab(*words, "--format", "json")
        assert ran.code == OK, words
        assert f"warning: The run {newest} is damaged, and does not count" in ran.err
        assert "Bring it back from a backup" in ran.err
    assert marks(lab("grades", "ana", "--format", "json")) == {"ana": 10}


def test_a_run_that_is_still_to_come_is_told_of(lab: Lab, keep: Keep) -> None:
    keep(24 * 365 * 100, ana="pp")
    ran = lab("grades", "ana", "--format", "json")
    assert ran.code == OK
    assert "this computer's clock is wrong, or was" in ran.err


def test_a_history_that_is_no_folder_is_an_error(lab: Lab, world: Any) -> None:
    (world.project / ".lab").mkdir()
    (world.project / ".lab/runs").write_text("")
    ran = lab("grades")
    assert (ran.code, ran.out) == (NOT_ALL_WELL, "")
    assert "could not be read: Not a directory" in ran.err


# Machines.


def test_a_machine_that_was_made_anew_inherits_no_mark(lab: Lab) -> None:
    lab("up", "--no-bake")
    lab("verify")
    assert marks(lab("grades", "--format", "json")) == {"ana": 10, "luis": 10, "marta": 10}

    stays = "What was verified stays in `lab history`; a machine that is made anew begins without."
    assert stays in lab("destroy", "luis", "marta", "--yes").err
    gone = lab("grades", "--format", "json")
    assert marks(gone) == {"ana": 10, "luis": 10, "marta": 10}

    lab("up", "luis", "--no-bake")
    anew = lab("grades", "--format", "json")
    assert marks(anew) == {"ana": 10, "luis": None, "marta": 10}
    assert "Attempts on an earlier machine: luis (1)." in lab("grades").out
    told = lab("history", "luis")
    assert "On the machine that is there now nothing has been evaluated yet." in told.out
    # What was before a deadline stands.
    tomorrow = f"{datetime.now().astimezone() + timedelta(days=1):%Y-%m-%d}"
    assert marks(lab("grades", "luis", "--at", tomorrow, "--format", "json")) == {"luis": 10}

    lab("verify", "luis")
    [found] = lab("history", "luis", "--format", "json").json["labs"]
    assert [it["counts"] for it in found["attempts"]] == [False, True]
    assert [it["made_anew"] for it in found["attempts"]] == [False, True]


def test_history_stands_where_nobody_knows_which_machines_there_are(
    lab: Lab, keep: Keep, world: Any
) -> None:
    keep(ana="pp")
    world.fault(**{"lxc-ls": {"code": 1, "stderr": "no LXC here"}})
    ran = lab("grades", "ana", "--format", "json")
    assert (ran.code, marks(ran)) == (OK, {"ana": 10})
    assert "warning: Which machines there are now could not be asked" in ran.err
    assert lab("grades", "ana", "--at", "2026-12-31").err == ""


def test_what_was_another_persons_does_not_count_and_is_told(
    lab: Lab, keep: Keep, world: Any
) -> None:
    lab("up", "luis", "--no-bake")
    lab("verify", "luis")
    # Their name has been added and corrected: nothing says that they are two people.
    world.edit("luis, marta", "{login: luis, name: Luis Núñez}, marta")
    keep(ana="pp")
    world.edit("Ana Núñez", "Ana Núñez Ibáñez")
    ran = lab("grades", "ana", "luis", "--format", "json")
    assert (ran.err, marks(ran)) == ("", {"ana": 10, "luis": 10})
    world.edit("ana@example.org", "zoe@example.org")
    for words in (("grades", "ana", "--format", "json"), ("report", "ana", "--format", "json")):
        ran = lab(*words)
        assert ran.code == NOTHING_EVALUATED
        assert ran.err.startswith(
            "warning: hello/ana: 1 attempt is another person's: Ana Núñez (ana@example.org) was "
            "verified, and on the roster is Ana Núñez Ibáñez (zoe@example.org). That does not "
            "count.\nIf it is the same person, `lab verify hello/ana` makes an attempt that counts"
        )
    [found] = lab("history", "ana", "--format", "json").json["labs"]
    assert [(it["name"], it["anothers"], it["counts"]) for it in found["attempts"]] == [
        ("Ana Núñez", True, False)
    ]
    assert "another person's: Ana Núñez" in lab("history", "ana").out
