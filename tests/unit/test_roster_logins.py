"""Logins that stay: whoever has a machine keeps its login, whatever becomes of the roster."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.classroom.roster import Roster, parse_roster
from lab.classroom.roster_logins import Holder, LoginSource

Row = tuple[str, str, str]  # name, email, id number


def roster_of(rows: Sequence[Row], holders: Sequence[Holder] = ()) -> Roster:
    out = io.StringIO()
    csv.writer(out).writerows([("name", "email", "id number"), *rows])
    return parse_roster(out.getvalue().encode(), name="s.csv", holders=holders)


def logins_of(rows: Sequence[Row], holders: Sequence[Holder] = ()) -> list[str]:
    roster = roster_of(rows, holders)
    assert roster.problems == ()
    return [person.login for person in roster.people]


def machines_of(roster: Roster) -> list[Holder]:
    return [
        Holder(lab="web", login=it.login, name=it.name, email=it.email, id_number=it.id_number)
        for it in roster.people
    ]


ANA = ("Ana Gil", "ana@example.org", "1")
OTHER_ANA = ("Ana Ruiz", "ana@example.com", "2")
HELD = [Holder(lab="web", login="ana", name="Ana Gil", email="ana@example.org", id_number="1")]


def test_a_namesake_who_joins_gets_the_suffix_and_not_the_one_who_was_there() -> None:
    assert logins_of([ANA]) == ["ana"]
    ana, other = logins_of([ANA, OTHER_ANA], HELD)
    assert ana == "ana"
    assert other.startswith("ana-")
    assert logins_of([OTHER_ANA, ANA], HELD) == [other, ana]
    # Without machines both get one, in any order: nobody was there first.
    first, second = logins_of([ANA, OTHER_ANA])
    assert second == other
    assert first.startswith("ana-")


def test_the_machine_of_somebody_who_has_left_is_nobody_else_s() -> None:
    [login] = logins_of([OTHER_ANA], HELD)
    assert login.startswith("ana-")


@pytest.mark.parametrize(
    "row",
    [
        ("Ana Gil", "ANA@example.org", ""),
        ("Ana Gil Soto", "ana@example.org", "9"),
        ("Ana Gil", "agil@example.org", "1"),
        ("Ána  GIL", "agil@example.org", "1"),
        ("Ana Gil", "", ""),
        ("Ana Gil", "ana@school.example.org", ""),
    ],
    ids=[
        "capitals",
        "email",
        "id number",
        "loose name",
        "name alone",
        "the school's new domain",
    ],
)
def test_somebody_is_known_again(row: Row) -> None:
    roster = roster_of([row], HELD)
    assert [(it.person.login, it.source) for it in roster.rows] == [("ana", LoginSource.KEPT)]


def test_somebody_with_another_email_is_somebody_else() -> None:
    assert logins_of([("Ana Gil", "agil@example.org", "")], HELD) == ["agil"]


def test_of_two_who_may_be_the_one_with_the_machine_neither_is() -> None:
    rows = [("Ana Gil", "", "7"), ("Ana Gil", "", "8")]
    holders = [Holder(lab="web", login="anna", name="Ana Gil")]
    assert {row.source for row in roster_of(rows, holders).rows} == {LoginSource.NAME}


def test_a_login_that_is_written_goes_before_one_that_is_held() -> None:
    text = "login,name,email\nana,Eva,eva@example.org\n,Ana Gil,ana@example.org\nx,Luis,\n"
    roster = parse_roster(text.encode(), name="s.csv", holders=HELD)
    assert roster.problems == ()
    eva, ana, luis = (row.person.login for row in roster.rows)
    assert (eva, luis) == ("ana", "x")
    assert ana.startswith("ana-")
    assert [str(note) for note in roster.notes] == [
        "s.csv:4: no email here: marks for Moodle need one",
        f"s.csv:3: `ana` is somebody else's login too, so this one is `{ana}`;"
        " to choose another, add a `login` column",
    ]


def test_who_has_machines_under_two_logins_keeps_the_one_that_is_theirs_by_nature() -> None:
    more = [*HELD, Holder(lab="files", login="anagil", name="Ana Gil", email="ana@example.org")]
    assert logins_of([ANA], more) == ["ana"]
    assert logins_of([("Ana Gil", "a.gil@example.org", "1")], more) == ["ana"]


EVA = ("Eva Sol", "eva@example.org", "1")


def test_an_id_number_alone_makes_nobody_the_other() -> None:
    roster = roster_of([EVA], HELD)
    assert [it.login for it in roster.people] == ["eva"]
    assert [str(note) for note in roster.notes] == [
        "s.csv:2: the id number is that of `Ana Gil`, who had the login `ana`, and neither name nor"
        " email agrees: this is taken for somebody else; if it is not, write that login into a"
        " `login` column"
    ]
    # Of who is there too, nothing need be said.
    assert roster_of([EVA, ANA], HELD).notes == ()


@pytest.mark.parametrize(
    ("left", "comes"),
    [
        (Holder(lab="web", login="jose-perez", name="José Pérez"), ("Jose Pérez", "", "")),
        (HELD[0], ("Ana", "", "")),
        (Holder(lab="web", login="ana-gil", name="Ana Gil", id_number="1"), ("Ana Gil", "", "2")),
        (Holder(lab="web", login="ana", name="Ana Gil"), ("Ana Ruiz", "ana@example.org", "")),
    ],
)
def test_what_somebody_had_is_given_to_nobody_else(left: Holder, comes: Row) -> None:
    [login] = logins_of([comes], [left])
    assert login.startswith(f"{left.login}-")


def test_who_has_gone_on_to_another_login_leaves_the_old_one_to_nobody() -> None:
    text = "login,name,email\nanalo99,Ana Gil,ana@example.org\n,Ana Ruiz,ana@example.com\n"
    roster = parse_roster(text.encode(), name="s.csv", holders=HELD)
    assert roster.people[0].login == "analo99"
    assert roster.people[1].login.startswith("ana-")


def test_a_login_of_which_nothing_else_is_known_is_that_of_whoever_is_called_so() -> None:
    assert logins_of([ANA], [Holder(lab="web", login="ana", name="ana")]) == ["ana"]


def test_only_a_login_column_goes_before_a_login_that_is_held() -> None:
    for column in ("username", "github_username"):
        text = f"{column},name,email\nanalo99,Ana Gil,ana@example.org\n"
        roster = parse_roster(text.encode(), name="s.csv", holders=HELD)
        assert [it.login for it in roster.people] == ["ana"]
        assert roster.warnings == ()
    text = "login,name,email\nanalo99,Ana Gil,ana@example.org\n"
    roster = parse_roster(text.encode(), name="s.csv", holders=HELD)
    assert [it.login for it in roster.people] == ["analo99"]
    assert [str(it) for it in roster.warnings] == [
        "s.csv:2: `Ana Gil` had the login `ana`, and is now `analo99`: the marks of before stay"
        " with `ana`"
    ]


SEAT = Holder(lab="web", login="pc01", name="Ana Vieja", has_machine=True)


def test_a_seat_that_goes_to_somebody_else_is_told_while_its_machine_is_there() -> None:
    def warnings(text: str, *holders: Holder) -> list[str]:
        raw = f"login,name,email\n{text}\n".encode()
        return [str(it) for it in parse_roster(raw, name="s.csv", holders=holders).warnings]

    other = replace(SEAT, lab="files")
    assert warnings("pc01,Ben Nuevo,", SEAT, other) == [
        "s.csv:2: `pc01` was the login of `Ana Vieja`, whose machine and work are still there;"
        " to begin afresh: lab destroy files/pc01 web/pc01"
    ]
    assert warnings("pc01,Ben Nuevo,", replace(SEAT, has_machine=False)) == []
    assert warnings("pc01,Ana Vieja,ana@example.org", SEAT) == []
    assert warnings("pc01,,", SEAT) == []
    # Of two who are alike nothing speaks for a change.
    twins = [SEAT, replace(SEAT, login="pc02")]
    assert warnings("pc01,Ana Vieja,\npc02,Ana Vieja,", *twins) == []


def test_of_two_with_one_name_the_id_number_tells_whose_login_it_is() -> None:
    rows = [("Ana Gil", "", "1"), ("Ana Gil", "", "2")]
    before = roster_of(rows)
    assert before.problems == ()
    after = roster_of([*rows[::-1], ("Ana Gil", "", "3")], machines_of(before))
    of_id = {it.id_number: it.login for it in before.people}
    assert {it.id_number: it.login for it in after.people[:2]} == of_id
    assert len({it.login for it in after.people}) == 3


PEOPLE = st.lists(
    st.tuples(
        st.sampled_from(["Ana", "Ana Gil", "José", "Jose", "Eva"]),
        st.sampled_from(["ana", "jose", "a.gil", "a-gil", "eva"]),
        st.sampled_from(["example.org", "example.com", "school.example"]),
    ),
    unique_by=lambda it: it[1:],
    max_size=10,
)


@settings(max_examples=200)
@given(PEOPLE, PEOPLE, st.randoms(use_true_random=False))
def test_nobody_with_a_machine_loses_it_however_the_roster_changes(
    first: list[tuple[str, str, str]], then: list[tuple[str, str, str]], chance: random.Random
) -> None:
    before = roster_of([(name, f"{local}@{domain}", "") for name, local, domain in first])
    of_email = {it.email: it.login for it in before.people}
    # Some leave, some join, and all are sorted anew.
    staying = [it for it in first if chance.random() < 0.7]
    known = {it[1:] for it in staying}
    rows = [*staying, *(it for it in then if it[1:] not in known)]
    chance.shuffle(rows)
    holders = machines_of(before)
    chance.shuffle(holders)
    after = roster_of([(name, f"{local}@{domain}", "") for name, local, domain in rows], holders)
    assert after.problems == ()
    for person in after.people:
        if (person.email.split("@")[0], person.email.split("@")[1]) in known:
            assert person.login == of_email[person.email]
    assert len({person.login for person in after.people}) == len(after.people)
