"""Any roster at all: students with logins of their own whatever the order, or problems with their lines."""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from lab.classroom.logins import login_problem
from lab.classroom.problems import Problem
from lab.classroom.roster import Person, parse_roster

HEADERS = st.sampled_from(
    [
        ["login", "name", "email"],
        ["Nombre", "Apellido(s)", "Dirección de correo"],
        ["username", "Full name", "E-mail"],
        ["Primer apellido", "Segundo apellido", "Nombre"],
        ["First name", "Surname", "Email address"],
        ["name", "grupo", "x"],
        ["login", "login", "email"],
        ["", "", ""],
    ]
)
WORDS = st.sampled_from(
    [
        *(
            "ana",
            "Ana",
            "José",
            "Jose",
            "Jose\u0301",
            "Muñoz",
            "luis.perez",
            "juan-perez",
            "O'Hara",
            "root",
        ),
        *(
            "ana@example.org",
            "ANA@example.org",
            "a@b",
            "../../x",
            "0x0",
            "",
            " ",
            "42",
            "=1+1",
            "-",
            "日本",
        ),
        *(
            "$(id)",
            "#{1}",
            "a;b",
            "a,b",
            'say "x"',
            "two\nlines",
            "\u202eevil",
            "\x1b[2J",
            "a\0b",
            "x" * 40,
        ),
    ]
)
CELLS = WORDS | st.text(max_size=6)
ENCODINGS = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1"])


@st.composite
def rosters(draw: st.DrawFn) -> bytes:
    """A file as some program might save it: dialect, encoding, ragged rows and quotes that never close."""
    rows = [draw(HEADERS), *draw(st.lists(st.lists(CELLS, min_size=2, max_size=4), max_size=6))]
    out = io.StringIO()
    dialect = {
        "delimiter": draw(st.sampled_from(",;\t")),
        "lineterminator": draw(st.sampled_from(["\n", "\r\n", "\r"])),
        "quoting": draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
    }
    csv.writer(out, **dialect).writerows(rows)
    text = out.getvalue()
    at = draw(st.integers(0, len(text)))
    text = (
        text[:at] + draw(st.sampled_from(["", "", "", '"', "\0", "\n", ";", "sep=;\n"])) + text[at:]
    )
    return text.encode(draw(ENCODINGS), "replace")


def assert_students_or_problems(
    found: Sequence[Person], problems: Sequence[Problem], *, lines: int
) -> None:
    assert all(problem.file == "s.csv" and 1 <= problem.line <= lines for problem in problems)
    assert all(problem.text and str(problem).startswith("s.csv:") for problem in problems)
    assert all(login_problem(person.login) == "" for person in found)
    assert all(1 <= person.line <= lines for person in found)
    if not problems:
        assert len({person.login for person in found}) == len(found)


@settings(max_examples=300)
@given(rosters())
def test_any_roster_is_students_or_problems_with_lines(raw: bytes) -> None:
    roster = parse_roster(raw, name="s.csv")
    lines = raw.count(b"\n") + raw.count(b"\r") + 1
    assert_students_or_problems(roster.people, roster.problems, lines=lines)


PEOPLE = st.lists(
    st.tuples(
        st.sampled_from(["", "ana", "jose"]), WORDS, st.sampled_from(["", "a", "b", "A.B", "jose"])
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=200)
@given(PEOPLE, st.randoms(use_true_random=False))
def test_the_order_of_a_roster_changes_nobody_s_login(
    people: list[tuple[str, str, str]], chance: random.Random
) -> None:
    rows = [
        (login, name, f"{local}{number}@example.org" if local else "")
        for number, (login, name, local) in enumerate(people)
    ]

    def logins(some: Sequence[tuple[str, str, str]]) -> tuple[set[tuple[str, str, str]], int]:
        out = io.StringIO()
        csv.writer(out).writerows([("login", "name", "email"), *some])
        roster = parse_roster(out.getvalue().encode(), name="s.csv")
        found = {(it.person.name, it.person.email, it.person.login) for it in roster.rows}
        return found, len(roster.problems)

    shuffled = list(rows)
    chance.shuffle(shuffled)
    assert logins(shuffled) == logins(rows)
