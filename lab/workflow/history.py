"""Each `lab verify` as it is kept: a file of its own in `.lab/runs/`, never written again."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from lab.classroom.run_document import NewerVersion, document_of, run_of
from lab.classroom.runs import Run
from lab.errors import LabError
from lab.report.text import in_json
from lab.system.files import LabFolder, make_folder, write_atomically

# They hold marks.
_MODE = 0o600
_A_MOMENT = timedelta(microseconds=1)


def keep(folder: LabFolder, run: Run) -> Path:
    """Keep a run beside the earlier ones, under the moment at which it ended.

    Whoever keeps runs holds the project's lock.

    Returns:
        Its file, which only its owner can read.

    Raises:
        LabError: it cannot be written; the earlier ones are intact.
    """
    make_folder(folder.runs)
    text = json.dumps(document_of(run), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    path = _free_path(folder, run.at.astimezone())
    write_atomically(path, in_json(text) + "\n", mode=_MODE)
    return path


def all_runs(folder: LabFolder, *, warn: Callable[[str], None]) -> tuple[Run, ...]:
    """All runs that are kept, oldest first, those of the same moment in the order of their names.

    Marks hang on them: of one that is damaged `warn` is told where it is and what to do, and it is
    left out.

    Raises:
        LabError: the folder itself cannot be read.
    """
    runs = []
    for path in _files(folder):
        try:
            runs.append(_read(path))
        except LabError as error:
            warn(error.in_words())
    return tuple(sorted(runs, key=lambda run: run.at))


def _free_path(folder: LabFolder, at: datetime) -> Path:
    """A name that no run has: of a clock that was set back, one may have ended at this moment."""
    while True:
        path = folder.runs / f"{at:%Y%m%dT%H%M%S}-{at.microsecond:06d}.json"
        if not path.exists():
            return path
        at += _A_MOMENT


def _files(folder: LabFolder) -> list[Path]:
    try:
        return sorted(path for path in folder.runs.iterdir() if path.suffix == ".json")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise LabError(
            f"The runs in {folder.runs} could not be read: {error.strerror}",
            hint="Marks are made of them: mend the permissions, then run the same command again.",
        ) from error


def _read(path: Path) -> Run:
    """The run that a file holds.

    Raises:
        LabError: it cannot be read, or is damaged.
    """
    try:
        return run_of(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise LabError(
            f"The run {path} could not be read, and does not count: {error.strerror}",
            hint="Mend its permissions, or bring it back from a backup.",
        ) from error
    except NewerVersion as error:
        raise LabError(
            f"The run {path} does not count: {error}", hint="Use the lab that has written it."
        ) from error
    except (ValueError, RecursionError) as error:
        raise LabError(
            f"The run {path} is damaged, and does not count: {error}",
            hint="Bring it back from a backup; if there is none, say that you know of it: "
            f"mv {path} {path}.damaged",
        ) from error
