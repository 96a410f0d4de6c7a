"""Logins that stay: whoever has a machine keeps its login, whatever becomes of the roster."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Sequence

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
        ("Ana G.", "agil@example.org", "1"),
        ("Ana Gil", "", ""),
        ("Ana Gil", "ana@school.example.org", ""),
    ],
    ids=["capitals", "email", "id number", "name alone", "the school's new domain"],
)
def test_somebody_is_known_again(row: Row) -> None:
    roster = roster_of([row], HELD)
    assert [(it.person.login, it.source) for it in roster.rows] == [("ana", LoginSource.MACHINE)]


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
