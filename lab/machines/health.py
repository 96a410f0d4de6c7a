"""What `lab doctor` finds: one frozen finding a check, each with what mends it."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from lab.errors import LabError
from lab.system import process


class Health(StrEnum):
    """What became of a check."""

    OK = "ok"
    PROBLEM = "problem"
    # Not as it could be, and no hindrance to the provider in use.
    NOTE = "note"
    # It could not be tried.
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one check found.

    Attributes:
        id: stable, for programs.
        title: what was checked, in a few words.
        outcome: what became of it.
        found: what is there, and for `unknown` why nobody knows.
        why: why it matters; told of problems only.
        fix: the command or edit that mends it, "" where nothing has to be mended.
        safe: whether `lab doctor --fix` runs it.
        fixed: whether it has been run, and the check is well since.
    """

    id: str
    title: str
    outcome: Health
    found: str
    why: str = ""
    fix: str = ""
    safe: bool = False
    fixed: bool = False


@dataclass(frozen=True, kw_only=True)
class Command:
    """A command that mends something and harms nobody: `lab doctor --fix` runs it as it is shown.

    `as_root` says whether it needs root's rights.
    """

    argv: tuple[str, ...]
    as_root: bool = False

    def __str__(self) -> str:
        """The line that a person would type."""
        return ("sudo " if self.as_root else "") + shlex.join(self.argv)

    def run(self) -> None:
        """Run it.

        Raises:
            LabError: it cannot be run, failed, or took more than a minute.
        """
        argv = process.as_root(self.argv) if self.as_root else self.argv
        process.run(argv, timeout_s=60)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a check has to say; with its id and title it is a finding.

    `commands` are the safe fix, `fix` any other.
    """

    outcome: Health
    found: str
    why: str = ""
    fix: str = ""
    commands: tuple[Command, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing to look at.

    Attributes:
        id: stable, for programs.
        title: what is checked, in a few words.
        look: tries it; told where to say what it is doing.
        slow: whether it takes a second or more.
        of_project: whether its fix touches what another lab on this project may be at work on.
    """

    id: str
    title: str
    look: Callable[[Callable[[str], None]], Verdict]
    slow: bool = False
    of_project: bool = False


def ok(found: str) -> Verdict:
    """All is well."""
    return Verdict(outcome=Health.OK, found=found)


def problem(found: str, *, why: str, fix: str = "", commands: tuple[Command, ...] = ()) -> Verdict:
    """Something hinders a class; `commands` where the fix is safe, else `fix`."""
    return Verdict(outcome=Health.PROBLEM, found=found, why=why, fix=fix, commands=commands)


def note(found: str, *, fix: str = "", commands: tuple[Command, ...] = ()) -> Verdict:
    """Something is not as it could be, and hinders nobody yet."""
    return Verdict(outcome=Health.NOTE, found=found, fix=fix, commands=commands)


def unknown(found: str, *, fix: str = "") -> Verdict:
    """It could not be tried; `found` says why, `fix` what would make it possible."""
    return Verdict(outcome=Health.UNKNOWN, found=found, fix=fix)


def from_error(error: LabError, *, why: str) -> Verdict:
    """The problem that an error tells of: its hint is the fix."""
    return problem(_in_words(error), why=why, fix=error.hint)


def examine(check: Check, tell: Callable[[str], None]) -> tuple[Finding, tuple[Command, ...]]:
    """Try a check; whatever goes wrong in it is its own `unknown`, and nobody else's.

    Returns:
        The finding, and the commands of its fix if that is a safe one.

    Raises:
        Interrupted: somebody stopped lab.
    """
    try:
        verdict = check.look(tell)
    except process.Interrupted:
        raise
    except LabError as error:
        verdict = unknown(_in_words(error), fix=error.hint)
    except Exception as error:  # noqa: BLE001 (one check that blows up is never the end of the others)
        verdict = unknown(f"The check itself failed: {type(error).__name__}: {error}")
    return finding_of(check.id, check.title, verdict), verdict.commands


def finding_of(id_: str, title: str, verdict: Verdict) -> Finding:
    """A verdict as the finding of a check."""
    return Finding(
        id=id_,
        title=title,
        outcome=verdict.outcome,
        found=verdict.found,
        why=verdict.why,
        fix="\n".join(map(str, verdict.commands)) or verdict.fix,
        safe=bool(verdict.commands),
    )


def _in_words(error: LabError) -> str:
    return "\n".join(text for text in (error.message, error.details) if text)
