"""The options that several commands share, each with its twin in the environment."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.errors import LabError, UsageError

if TYPE_CHECKING:
    from lab.report.console import Console
    from lab.report.progress import LiveProgress
    from lab.workflow.project import Project


class Format(StrEnum):
    """How data is written to stdout."""

    TABLE = "table"
    JSON = "json"


class Language(StrEnum):
    """What students and teachers read is in one of these."""

    EN = "en"
    ES = "es"


Targets = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TARGET",
        help="LAB, LOGIN, LAB/LOGIN or a pattern such as 'a*'; all machines by default.",
    ),
]
File = Annotated[
    Path,
    typer.Option(
        "--file", "-f", envvar="LAB_FILE", help="The labs.yaml to work with.", show_default=True
    ),
]
Jobs = Annotated[
    int,
    typer.Option(
        "--jobs", "-j", envvar="LAB_JOBS", min=1, max=256, help="How many machines at a time."
    ),
]
Output = Annotated[
    Format, typer.Option("--format", envvar="LAB_FORMAT", help="How results are written to stdout.")
]
Lang = Annotated[
    Language | None,
    typer.Option(
        "--lang",
        envvar="LAB_LANG",
        help="The language of the results; by default the lab's own, else English.",
    ),
]
Wait = Annotated[
    str,
    typer.Option(
        "--wait",
        envvar="LAB_WAIT",
        help="How long to wait for another lab on this project, such as 60s or 5m.",
    ),
]
Offline = Annotated[
    bool,
    typer.Option(
        "--offline",
        envvar="LAB_OFFLINE",
        help="Download nothing: refuse beforehand, with all that would have to be.",
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", envvar="LAB_YES", help="Do not ask.")]

LABS_YAML = Path("labs.yaml")
# Much of what checks do is waiting: for services, for a reboot. Steps work, and more of them at a
# time than this only get in each other's way at the disk.
DEFAULT_JOBS = max(4, 4 * (os.cpu_count() or 1))
DEFAULT_STEP_JOBS = max(4, 2 * (os.cpu_count() or 1))
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(text: str) -> float:
    """A span of time such as `30s`, `5m` or `0`, in seconds.

    Raises:
        UsageError: it is none.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text.strip())
    if match is None:
        raise UsageError(f"{text!r} is not a span of time", hint="Write it as 30s, 5m or 1h.")
    return float(match[1]) * _UNITS[match[2] or "s"]


@contextmanager
def progress() -> Iterator[LiveProgress]:
    """The live display on stderr, gone when the block ends."""
    from lab.report.console import console_for
    from lab.report.progress import LiveProgress

    with LiveProgress(console_for(sys.stderr, os.environ)) as live:
        yield live


def complain(error: LabError) -> None:
    """Show an error that is not what the command ends with."""
    from lab.report.console import console_for
    from lab.report.errors import show_error

    show_error(error, console=console_for(sys.stderr, os.environ))


def tell(words: str) -> None:
    """Say something beside the results: on stderr."""
    typer.echo(words, err=True)


@contextmanager
def locked(file: Path, operation: str, wait: str) -> Iterator[None]:
    """Hold the project's lock while the block runs.

    Raises:
        LockedError: another lab holds it.
    """
    from lab.system import lock
    from lab.system.files import LabFolder

    folder = LabFolder(file.absolute().parent)
    with lock.hold(folder.lock, operation=operation, wait_s=seconds(wait), on_wait=tell):
        folder.sweep()
        yield


def project_of(file: Path, *, for_boot: bool = False) -> Project:
    """The project of a labs.yaml; see `lab.workflow.project.open_project`."""
    from lab.workflow.project import open_project

    return open_project(file, for_boot=for_boot)


def stdout_console() -> Console:
    """The console for tables."""
    from lab.report.console import console_for

    return console_for(sys.stdout, os.environ)


def confirm_destroying(names: Sequence[str], *, yes: bool) -> None:
    """Ask before machines are destroyed, unless it was said beforehand.

    Raises:
        UsageError: there is nobody to ask.
    """
    confirm("destroy", names, loss="with all that is on them and their snapshots", yes=yes)


def confirm(verb: str, names: Sequence[str], *, loss: str, yes: bool) -> None:
    """Ask before something is done to machines that loses something, unless it was said before.

    Args:
        verb: what is done, such as `destroy`.
        names: the machines, or what is theirs; nothing is asked where there are none.
        loss: what that means, in words.
        yes: whether it was said.

    Raises:
        UsageError: there is nobody to ask.
    """
    if yes or not names:
        return
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    if not sys.stdin.isatty():
        raise UsageError(
            f"This would {verb} {shown}, and there is nobody here to ask",
            hint="Say so beforehand: add --yes",
        )
    typer.confirm(f"{verb.capitalize()} {shown}, {loss}?", abort=True, err=True)
