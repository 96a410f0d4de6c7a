"""Every failure that a user can meet, each with the exit code that it ends the program with.

An error says what happened (`message`), why or where (`details`), and what to do next (`hint`);
`cli` is the one place that prints them. A failing check is not an error: it is a result (see
`lab.classroom.results`).
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

OK = 0
NOT_ALL_WELL = 1
USAGE = 2
HOST = 3
NOTHING_EVALUATED = 4
LOCKED = 5
BUG = 70
INTERRUPTED = 130


class LabError(Exception):
    """What happened, why, and the next command.

    Args:
        message: one sentence, in the user's words.
        details: the lines that show why: a caret under the wrong word, the tail of a command's
            output.
        hint: the next command or edit that mends it.
        log: the file that holds the whole story.
    """

    exit_code: ClassVar[int] = NOT_ALL_WELL

    def __init__(
        self, message: str, *, details: str = "", hint: str = "", log: Path | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details = details
        self.hint = hint
        self.log = log

    def in_words(self) -> str:
        """What happened, why, and the next command, each on lines of its own."""
        return "\n".join(text for text in (self.message, self.details, self.hint) if text)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return hash((type(self), self.message, self.details, self.hint, self.log))


class UsageError(LabError):
    """The command line asks for something that cannot be: an unknown target, a missing flag."""

    exit_code = USAGE


class ConfigError(LabError):
    """labs.yaml, a roster or a guide is wrong; `details` holds every problem with its place."""

    exit_code = USAGE


class HostError(LabError):
    """This computer lacks something; `hint` is the command that mends it."""

    exit_code = HOST


class ProcessError(LabError):
    """A command that lab runs failed, was killed or took too long."""


class MachineError(LabError):
    """A machine did not get where it should: not created, not reachable, not booted."""


class ConnectionLost(MachineError):
    """The SSH connection to a machine is gone or was refused."""


class LockedError(LabError):
    """Another lab works on this project; `details` says which one and since when."""

    exit_code = LOCKED
