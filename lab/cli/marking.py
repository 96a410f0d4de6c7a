"""What the commands that make marks out of history share: their options, and history itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.classroom.choices import Take
from lab.cli import options
from lab.errors import NOTHING_EVALUATED, LabError, UsageError

if TYPE_CHECKING:
    from lab.classroom.classes import Classroom
    from lab.classroom.runs import Run, StudentRun
    from lab.system.files import LabFolder
    from lab.workflow.marks import Book, Marking, Place

TakeWanted = Annotated[
    Take, typer.Option("--take", envvar="LAB_TAKE", help="Which attempt makes the mark.")
]
At = Annotated[
    str | None,
    typer.Option(
        "--at",
        envvar="LAB_AT",
        metavar="MOMENT",
        help="The last moment that counts, such as 2026-11-30 (that whole day), "
        "2026-11-30T23:59 or 2026-11-30T23:59+01:00.",
    ),
]
Scale = Annotated[
    float, typer.Option("--scale", envvar="LAB_SCALE", help="The highest mark that there is.")
]
SCALE = 10.0
# So much may two clocks, or one that is being set, differ.
_CLOCKS_DIFFER = timedelta(minutes=5)


class NothingEvaluated(LabError):
    """There is no attempt that a mark could be made of."""

    exit_code = NOTHING_EVALUATED

    def __init__(self, *, at: str | None = None) -> None:
        super().__init__(
            f"Nothing was evaluated until {at}" if at else "Nothing has been evaluated yet",
            hint="`lab history LOGIN` shows what there is of a student; `lab verify` evaluates.",
        )


@dataclass(frozen=True, kw_only=True)
class History:
    """Whose marks are wanted, out of everybody, what they are made of, how, and until when."""

    places: tuple[Place, ...]
    everybody: tuple[Place, ...]
    book: Book
    marking: Marking
    at: str | None = None


def open_history(
    file: Path,
    targets: Sequence[str],
    *,
    take: Take,
    at: str | None,
    scale: float = SCALE,
    language: str | None = None,
) -> History:
    """All that was verified until a moment.

    Raises:
        UsageError: a target names nobody, the moment is none, or the scale.
        LabError: labs.yaml or the history cannot be read.
    """
    from lab.classroom.deadline import closing_moment
    from lab.workflow.marks import Book, Marking, others, places_of
    from lab.workflow.project import select

    until = None if at is None else closing_moment(at)
    classroom, folder = class_of(file)
    everybody = places_of(classroom)
    places = select(everybody, targets)
    book = Book(runs_in(folder), until=until)
    marking = Marking(
        take=take,
        until=until,
        scale=usable_scale(scale),
        language=language,
        identities={} if until else identities_of(file, places),
    )
    for place, attempts in others(places, book):
        _tell_of_another(place, [attempt.run for attempt in attempts])
    return History(places=places, everybody=everybody, book=book, marking=marking, at=at)


def class_of(file: Path) -> tuple[Classroom, LabFolder]:
    """The class, with the logins that whoever has a machine keeps, and lab's folder.

    Raises:
        ConfigError: labs.yaml or a roster is wrong.
    """
    from lab.classroom.config import load_classroom
    from lab.system.files import LabFolder
    from lab.workflow.holders import all_holders

    folder = LabFolder(file.absolute().parent)
    return load_classroom(file, holders=all_holders(folder)), folder


def runs_in(folder: LabFolder) -> tuple[Run, ...]:
    """All runs that are kept; what cannot be read, or cannot be true, is told."""
    from lab.workflow import history

    runs = history.all_runs(folder, warn=lambda text: options.tell(f"warning: {text}"))
    now = datetime.now().astimezone()
    if runs and runs[-1].at > now + _CLOCKS_DIFFER:
        options.tell(
            f"warning: The newest run is of {runs[-1].at.isoformat(timespec='seconds')}, "
            "which is still to come: this computer's clock is wrong, or was.\n"
            "It counts as the last one until then; move its file away from "
            f"{folder.runs} if it should not."
        )
    return runs


def identities_of(file: Path, places: Sequence[Place]) -> dict[str, str]:
    """Which machines exist now; where that cannot be asked it is told, and history stands."""
    from lab.workflow.identity import identities

    names = {place.name for place in places}
    try:
        project = options.project_of(file)
        return identities(project, [it for it in project.machines if it.name in names])
    except LabError as error:
        options.tell(
            f"warning: Which machines there are now could not be asked: {error.message}\n"
            "One that was made anew since the last `lab verify` is not noticed."
        )
        return {}


def _tell_of_another(place: Place, runs: Sequence[StudentRun]) -> None:
    """Tell that attempts do not count, as they are of who had the login before."""
    student, login = place.student, f"{place.lab.name}/{place.student.login}"
    many = f"{len(runs)} attempts are" if len(runs) > 1 else "1 attempt is"
    then = list(dict.fromkeys(_who(run.name, run.email, run.id_number) for run in runs))
    now = _who(student.name, student.email, student.id_number)
    options.tell(
        f"warning: {login}: {many} another person's: {'; '.join(then)} was verified, "
        f"and on the roster is {now}. That does not count.\n"
        f"If it is the same person, `lab verify {login}` makes an attempt that counts; the earlier "
        "count again when the roster says email, id number or name as it did."
    )


def _who(name: str, email: str, id_number: str) -> str:
    from lab.report.text import inert_line

    known = ", ".join(word for word in (email, id_number) if word)
    return inert_line(f"{name} ({known})" if known else name)


def usable_scale(scale: float) -> float:
    """A scale on which there can be marks.

    Raises:
        UsageError: it is none.
    """
    if not math.isfinite(scale) or scale <= 0:
        raise UsageError(
            f"There are no marks on a scale of {scale:g}", hint="Write it as --scale 10."
        )
    return scale
