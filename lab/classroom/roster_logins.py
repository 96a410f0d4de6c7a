"""Who on a roster gets which login, so that nobody loses the machine that is theirs.

A login depends on the person alone, and where two want the same one, on both: each gets a suffix
out of their own data, in whatever order they stand. Whoever has a machine already keeps its login,
even when a namesake joins, and so only the new one gets a suffix.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from lab.classroom import logins
from lab.classroom.problems import quoted
from lab.classroom.roster_entries import Entry


class LoginSource(StrEnum):
    """Where a login comes from."""

    COLUMN = "login"
    EMAIL = "email"
    NAME = "name"
    MACHINE = "machine"


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Somebody who had a login in a lab already; what nobody noted of them is empty.

    `has_machine` says whether there still is the machine that they had it on.
    """

    lab: str
    login: str
    name: str = ""
    email: str = ""
    id_number: str = ""
    has_machine: bool = False


@dataclass(frozen=True, kw_only=True)
class Settled:
    """An entry with its login.

    Attributes:
        entry: what the line says.
        login: "" where the line has a problem of its own.
        source: where it comes from.
        clashed: the login that it would be, had nobody else wanted it; "" if it is that.
        problem: what is wrong with the line, "" for nothing.
    """

    entry: Entry
    login: str = ""
    source: LoginSource = LoginSource.NAME
    clashed: str = ""
    problem: str = ""


def settle_logins(entries: Sequence[Entry], holders: Sequence[Holder]) -> tuple[Settled, ...]:
    """Each entry with its login, in their order.

    Args:
        entries: the lines of a roster.
        holders: who has a machine, in the labs of that roster.
    """
    good = [entry for entry in entries if not entry.problem]
    held = _held_logins(good, holders)
    written = {entry.wanted for entry in good if entry.login}
    kept = {
        entry.line: _best(held[entry.line] - written, entry)
        for entry in good
        if not entry.login and held[entry.line] - written
    }
    wanted = [kept.get(entry.line, entry.wanted) for entry in good]
    given = [bool(entry.login) or entry.line in kept for entry in good]
    settled = logins.settle(
        wanted,
        given=given,
        own=_own(good),
        taken=_left_behind(good, holders, set().union(*held.values())),
    )
    found = {
        entry.line: Settled(
            entry=entry,
            login=login,
            source=LoginSource.MACHINE if entry.line in kept else _source(entry),
            clashed=want if want != login else "",
        )
        for entry, want, login in zip(good, wanted, settled, strict=True)
    }
    return tuple(_one_each(entries, found))


def _one_each(entries: Sequence[Entry], found: dict[int, Settled]) -> Sequence[Settled]:
    """Every entry as it was settled, with a login that an earlier one has as its problem."""
    first: dict[str, Settled] = {}
    rows = []
    for entry in entries:
        row = found.get(entry.line) or Settled(entry=entry, problem=entry.problem)
        other = first.setdefault(row.login, row) if row.login else row
        if other is not row:
            row = replace(row, clashed="", problem=_same_login(row, other))
        rows.append(row)
    return rows


def _same_login(row: Settled, other: Settled) -> str:
    if row.source is LoginSource.COLUMN or row.entry.name != other.entry.name:
        return f"{quoted(row.login)} is also the login of line {other.entry.line}"
    return (
        f"{quoted(row.entry.name)} is on line {other.entry.line} already: an email each, or a"
        " `login` column, would tell them apart"
    )


def _source(entry: Entry) -> LoginSource:
    if entry.login:
        return LoginSource.COLUMN
    return (
        LoginSource.EMAIL if logins.derived_login(name="", email=entry.email) else LoginSource.NAME
    )


def _best(held: set[str], entry: Entry) -> str:
    """The login to keep, where a person has machines under several."""
    return entry.wanted if entry.wanted in held else min(held)


def _held_logins(entries: Sequence[Entry], holders: Sequence[Holder]) -> dict[int, set[str]]:
    """The logins of the machines that each entry's person has, by its line.

    A person is the same by email, else by id number, else by name: the latter only where an email
    is not known on both sides, or the login would be the same, as after a change of the school's
    domain.
    """
    held: dict[int, set[str]] = {entry.line: set() for entry in entries}
    free = list(holders)
    for key in (_email, _id_number, _name):
        lines: dict[str, list[Entry]] = {}
        for entry in entries:
            # What tells a person better has told them already.
            if not held[entry.line]:
                lines.setdefault(key(entry), []).append(entry)
        for holder in list(free):
            same = lines.get(key(holder), []) if key(holder) else []
            # Of two that are alike nobody knows whose machine it is.
            if len(same) == 1 and (key is not _name or _may_be(same[0], holder)):
                held[same[0].line].add(holder.login)
                free.remove(holder)
    return held


def _may_be(entry: Entry, holder: Holder) -> bool:
    both_known = bool(entry.email and holder.email)
    return not both_known or entry.wanted == holder.login


def _left_behind(entries: Sequence[Entry], holders: Sequence[Holder], held: set[str]) -> set[str]:
    """The logins of machines whose students have left, and that somebody else would be given."""
    wanting: dict[str, list[Entry]] = {}
    for entry in entries:
        wanting.setdefault(entry.wanted, []).append(entry)
    return {
        holder.login
        for holder in holders
        if holder.login not in held
        and holder.email
        and any(entry.email and not entry.login for entry in wanting.get(holder.login, []))
    }


def _own(entries: Sequence[Entry]) -> list[tuple[str, ...]]:
    """What tells each from all others, in any order and, if it can, in any Unicode form."""
    named = Counter(_name(entry) for entry in entries)
    return [
        (_email(entry),)
        if entry.email
        else (_composed(entry.name),)
        if named[_name(entry)] == 1
        else (_composed(entry.name), entry.name)
        for entry in entries
    ]


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


Known = Entry | Holder
_Key = Callable[[Known], str]


def _email(known: Known) -> str:
    return known.email.casefold()


def _id_number(known: Known) -> str:
    return known.id_number.casefold()


def _name(known: Known) -> str:
    return _composed(known.name)
