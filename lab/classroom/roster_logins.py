"""Who on a roster gets which login, so that nobody loses the machine and the marks that are theirs.

A login depends on the person alone, and where two want the same one, on both: each gets a suffix
out of their own data, in whatever order they stand. Whoever had a login already keeps it, even when
a namesake joins, and so only the new one gets a suffix.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from lab.classroom import logins
from lab.classroom.problems import listed, quoted
from lab.classroom.roster_entries import Entry


class LoginSource(StrEnum):
    """Where a login comes from."""

    COLUMN = "login"
    EMAIL = "email"
    NAME = "name"
    KEPT = "kept"


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
        warnings: whose machine is somebody else's now, or is left.
        notes: what else is worth a look.
    """

    entry: Entry
    login: str = ""
    source: LoginSource = LoginSource.NAME
    clashed: str = ""
    problem: str = ""
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def settle_logins(entries: Sequence[Entry], holders: Sequence[Holder]) -> tuple[Settled, ...]:
    """Each entry with its login, in their order.

    Args:
        entries: the lines of a roster.
        holders: who had which login, in the labs of that roster.
    """
    good = [entry for entry in entries if not entry.problem]
    known_again = _known_again(good, holders)
    held = {line: {it.login for it in found} for line, found in known_again.items()}
    written = {entry.wanted for entry in good if entry.is_strict}
    kept = {
        entry.line: _best(held[entry.line] - written, entry)
        for entry in good
        if not entry.is_strict and held[entry.line] - written
    }
    wanted = [kept.get(entry.line, entry.wanted) for entry in good]
    settled = logins.settle(
        wanted,
        given=[entry.is_strict or entry.line in kept for entry in good],
        own=_own(good),
        # What somebody had is given to nobody else, even when they have left.
        taken={holder.login for holder in holders if _is_known(holder)},
    )
    found = {
        entry.line: Settled(
            entry=entry,
            login=login,
            source=LoginSource.KEPT if entry.line in kept else _source(entry),
            clashed=want if want != login else "",
            warnings=tuple(_warnings(entry, login, known_again[entry.line], holders)),
            notes=tuple(_notes(entry, known_again, holders)),
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
    if row.entry.login or row.entry.name != other.entry.name:
        return f"{quoted(row.clashed or row.login)} is also the login of line {other.entry.line}"
    return (
        f"{quoted(row.entry.name)} is on line {other.entry.line} already: an email or an id number"
        " each, or a `login` column, would tell them apart"
    )


def _warnings(
    entry: Entry, login: str, before: Sequence[Holder], holders: Sequence[Holder]
) -> Iterator[str]:
    """Where a `login` column parts a student from a machine, or gives them somebody else's."""
    had = sorted({it.login for it in before})
    if had and login not in had:
        name = quoted(entry.name or entry.email or login)
        machine = "machine and marks" if any(it.has_machine for it in before) else "marks"
        yield (
            f"{name} had the login {listed(had)}, and is now {quoted(login)}: the {machine} of"
            f" before stay with {listed(had)}"
        )
    others = [
        it
        for it in holders
        if entry.is_strict and it.login == login and it.has_machine and _is_other(entry, it)
    ]
    if others:
        names = dict.fromkeys(it.name if it.name != login else it.email for it in others)
        places = " ".join(sorted(f"{it.lab}/{login}" for it in others))
        yield (
            f"{quoted(login)} was the login of {listed([name or login for name in names])}, whose"
            f" machine and work are still there; to begin afresh: lab destroy {places}"
        )


def _notes(
    entry: Entry, known_again: Mapping[int, Sequence[Holder]], holders: Sequence[Holder]
) -> Iterator[str]:
    """Who has an id number that another had: a slip of the teacher's, or another name."""
    if known_again[entry.line] or not entry.id_number:
        return
    taken = {id(it) for found in known_again.values() for it in found}
    for holder in holders:
        if _id_number(holder) == _id_number(entry) and id(holder) not in taken:
            yield (
                f"the id number is that of {quoted(holder.name)}, who had the login"
                f" {quoted(holder.login)}, and neither name nor email agrees: this is taken for"
                " somebody else; if it is not, write that login into a `login` column"
            )
            return


def _source(entry: Entry) -> LoginSource:
    if entry.login:
        return LoginSource.COLUMN
    return (
        LoginSource.EMAIL if logins.derived_login(name="", email=entry.email) else LoginSource.NAME
    )


def _best(held: set[str], entry: Entry) -> str:
    """The login to keep, where a person has machines under several."""
    return entry.wanted if entry.wanted in held else min(held)


def _known_again(entries: Sequence[Entry], holders: Sequence[Holder]) -> dict[int, list[Holder]]:
    """What is noted of each entry's person, by its line.

    A person is the same by email, else by id number where nothing speaks against it, else by name:
    the latter only where id numbers do not differ and an email is not known on both sides, or the
    login would be the same, as after a change of the school's domain.
    """
    found: dict[int, list[Holder]] = {entry.line: [] for entry in entries}
    free = list(holders)
    # Of two whose names differ in their Unicode form alone each is told as it is written.
    ways = (
        (_email, _always),
        (_id_number, _is_same),
        (_name_as_written, _may_be),
        (_name, _may_be),
    )
    for key, may_be in ways:
        lines: dict[str, list[Entry]] = {}
        for entry in entries:
            # What tells a person better has told them already.
            if not found[entry.line]:
                lines.setdefault(key(entry), []).append(entry)
        for holder in list(free):
            same = lines.get(key(holder), []) if key(holder) else []
            # Of two that are alike nobody knows whose login it is.
            if len(same) == 1 and may_be(same[0], holder):
                found[same[0].line].append(holder)
                free.remove(holder)
    return found


def _always(_entry: Entry, _holder: Holder) -> bool:
    return True


def _is_same(entry: Entry, holder: Holder) -> bool:
    return not _is_other(entry, holder)


def _may_be(entry: Entry, holder: Holder) -> bool:
    """Whether two of the same name may be the same."""
    if _differ(_id_number, entry, holder):
        return False
    return not _differ(_email, entry, holder) or entry.wanted == holder.login


def _is_other(entry: Entry, holder: Holder) -> bool:
    """Whether something speaks against their being the same."""
    if _email(entry) and _email(entry) == _email(holder):
        return False
    if _differ(_id_number, entry, holder):
        return True
    if entry.name and holder.name and holder.name != holder.login:
        same_id = _id_number(entry) and _id_number(holder)
        key = _loose_name if same_id else _name
        return key(entry) != key(holder)
    return _differ(_email, entry, holder)


def _differ(key: _Key, entry: Entry, holder: Holder) -> bool:
    return bool(key(entry) and key(holder)) and key(entry) != key(holder)


def _is_known(holder: Holder) -> bool:
    """Whether anything is noted by which they are told: on a list of logins that is the name."""
    return bool(holder.email or holder.id_number or (holder.name and holder.name != holder.login))


def _own(entries: Sequence[Entry]) -> list[tuple[str, ...]]:
    """What tells each from all others, in any order and, if it can, in any Unicode form."""
    named = Counter(_name(entry) for entry in entries)
    return [
        (_email(entry),)
        if entry.email
        else (_composed(entry.name),)
        if named[_name(entry)] == 1
        else (_composed(entry.name), _id_number(entry))
        if entry.id_number
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


def _name_as_written(known: Known) -> str:
    return known.name


def _loose_name(known: Known) -> str:
    return logins.fold(known.name) or _name(known)
