"""Logins: what an account may be called, and how a person comes to one."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.classroom.logins import derived_login, fold, login_problem, settle


@pytest.mark.parametrize("login", ["a", "ana", "juan-perez", "a1", "x" * 31])
def test_a_login_is_letters_digits_and_hyphens(login: str) -> None:
    assert login_problem(login) == ""


@pytest.mark.parametrize(
    ("login", "problem"),
    [
        ("root", "is an account that every machine has already"),
        ("vagrant", "is an account that every machine has already"),
        ("www-data", "is an account that every machine has already"),
        ("supervisor", "is an account that every machine has already"),
        ("systemd-network", "is an account that every machine has already"),
        ("x" * 32, "is longer than 31 characters"),
        ("ana-", "ends in a hyphen, which no host name may"),
    ],
)
def test_what_is_no_login_is_told_why(login: str, problem: str) -> None:
    assert login_problem(login) == problem


@pytest.mark.parametrize(
    "login",
    ["", "0x0", "123", "Ana", "añ", "a b", "a.b", "a/b", "../../x", ".", "a\nb", "a\n", "-a"],
)
def test_nothing_else_is_a_login(login: str) -> None:
    assert "is not a login" in login_problem(login)


@pytest.mark.parametrize(
    ("text", "login"),
    [
        ("juan.perez", "juan-perez"),
        ("Íñigo Núñez", "inigo-nunez"),
        (unicodedata.normalize("NFD", "Muñoz"), "munoz"),
        ("Maria d'Arc", "maria-darc"),
        ("Straße Øre Æsir Łukasz", "strasse-ore-aesir-lukasz"),
        ("__a..b__", "a-b"),
        ("日本", ""),
    ],
)
def test_text_is_folded_to_the_letters_of_a_login(text: str, login: str) -> None:
    assert fold(text) == login


@pytest.mark.parametrize(
    ("name", "email", "login"),
    [
        ("Ana Núñez", "a.nunez@example.org", "a-nunez"),
        ("Ana Núñez", "", "ana-nunez"),
        ("Ana Núñez", "0042@example.org", "ana-nunez"),
        ("Ana Núñez", "root@example.org", "ana-nunez"),
        ("", "42@example.org", ""),
        ("María de los Ángeles Fernández-Cortés", "", "maria-de-los-angeles-fernandez"),
    ],
)
def test_a_login_comes_from_the_email_or_else_the_name(name: str, email: str, login: str) -> None:
    assert derived_login(name=name, email=email) == login


def test_those_who_clash_get_a_suffix_of_their_own() -> None:
    wanted = ["jose", "jose", "ana"]
    settled = settle(wanted, given=[False] * 3, own=[("José",), ("Jose",), ("Ana",)])
    assert settled == ["jose-24c2", "jose-ae97", "ana"]


def test_a_login_that_was_written_is_never_changed() -> None:
    settled = settle(["ana", "ana"], given=[True, False], own=[("a@x.org",), ("b@x.org",)])
    assert settled[0] == "ana"
    assert re.fullmatch("ana-[0-9a-f]{4}", settled[1])


@given(st.text(), st.text())
def test_a_derived_login_is_a_login_or_nothing(name: str, email: str) -> None:
    login = derived_login(name=name, email=email)
    assert login == "" or login_problem(login) == ""


@given(st.text())
def test_folding_is_the_same_in_every_unicode_form(text: str) -> None:
    assert fold(unicodedata.normalize("NFD", text)) == fold(unicodedata.normalize("NFC", text))


PEOPLE = st.lists(
    st.tuples(st.sampled_from(["ana", "jose", "x" * 31, "a-b"]), st.integers(0, 10**6)),
    unique=True,
    max_size=12,
)


@given(PEOPLE)
def test_logins_are_unique_and_do_not_depend_on_the_order(
    people: list[tuple[str, int]],
) -> None:
    def logins(some: list[tuple[str, int]]) -> dict[tuple[str, int], str]:
        settled = settle(
            [login for login, _ in some],
            given=[False] * len(some),
            own=[(f"{number}@example.org",) for _, number in some],
        )
        return dict(zip(some, settled, strict=True))

    before = logins(people)
    assert logins(sorted(people, key=lambda person: person[1])) == before
    # One person with two wanted logins is not two people: emails tell them apart.
    if len({number for _, number in people}) == len(people):
        assert len(set(before.values())) == len(people)
        assert all(login_problem(login) == "" for login in before.values())
