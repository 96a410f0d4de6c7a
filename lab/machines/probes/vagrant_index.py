"""Vagrant's own list of all machines on this computer, `data/machine-index/index` in its home.

Vagrant writes it in place, so what dies meanwhile leaves it empty or cut off. Tried with Vagrant
2.3.4, in a home of its own:

- no file: an empty list; the next machine makes it anew.
- an empty file: the same, without a word. `global-status` then says that there are no machines, and
  `status` in a project's folder is right all the same, and enters its machines again.
- cut off, garbage, or of another version: every command but `--version` fails with "the machine
  index ... is corrupt", `box list` after it has listed them.
- JSON of another form (`[]`): every command fails with a Ruby backtrace.

The list is Vagrant's memory of folders and nothing else: a project's machines are found through
`.vagrant/` beside its Vagrantfile. So a damaged one can be moved aside, and every project enters
its machines again when Vagrant next works there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lab.machines.boxes.catalog import vagrant_home
from lab.machines.health import Command, Health, Verdict, note, ok, problem
from lab.system import process

_VERSION = 1
_A_WRITE_S = 1.0
_WHY = "Every command of Vagrant fails, in every project; the machines themselves are not harmed."


def index_path() -> Path:
    """Where Vagrant keeps its list."""
    return vagrant_home() / "data" / "machine-index" / "index"


def machine_index(project: Path | None) -> Verdict:
    """Whether Vagrant can read its list of machines, and has a project's machines in it.

    Raises:
        Interrupted: somebody stopped lab.
    """
    verdict = _look(project)
    if verdict.commands:
        # A Vagrant may be writing it at this moment.
        process.pause(_A_WRITE_S)
        verdict = _look(project)
    return verdict


def _look(project: Path | None) -> Verdict:
    path = index_path()
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return ok("Vagrant has no list of machines yet")
    machines, why = _read(data)
    if why:
        return problem(
            f"Vagrant's list of machines is damaged: {path} {why}",
            why=_WHY,
            commands=(_move_aside(path),),
        )
    missing = [name for name, uuid in _entered(project) if uuid not in machines]
    if not data and missing:
        # Not a damage to Vagrant, which takes it for a list without machines.
        return note(
            f"Vagrant's list of machines is empty ({path}): `vagrant global-status` shows none, "
            f"though this folder has {_names(missing)}; Vagrant enters them again by itself",
            commands=(_move_aside(path),),
        )
    if missing:
        return note(
            f"Vagrant's list of machines lacks {_names(missing)} of this folder; "
            "Vagrant enters them again by itself",
            fix="vagrant status",
        )
    return ok(f"Vagrant's list of machines has {len(machines)}")


def is_damaged() -> bool:
    """Whether Vagrant does nothing for want of a list that it can read."""
    return machine_index(None).outcome is Health.PROBLEM


def _read(data: bytes) -> tuple[dict[str, Any], str]:
    """The entries by their id, and what is wrong with the file, if anything."""
    if not data:
        return {}, ""
    try:
        index = json.loads(data)
    except ValueError:
        return {}, "is cut off, or no JSON at all"
    if not isinstance(index, dict) or not isinstance(index.get("machines"), dict):
        return {}, "holds something else"
    # Vagrant turns what it finds there into a number, too.
    if str(index.get("version")) != str(_VERSION):
        return {}, f"is of version {index.get('version')!r}, and Vagrant knows {_VERSION}"
    return index["machines"], ""


def _entered(project: Path | None) -> list[tuple[str, str]]:
    """The machines of a folder that Vagrant has entered in its list, each with its id there."""
    if project is None:
        return []
    found = []
    for path in sorted(project.glob(".vagrant/machines/*/*/index_uuid")):
        # Without an id the machine is no more, whatever the list says.
        if (path.parent / "id").exists():
            uuid = path.read_text(encoding="utf-8", errors="replace").strip()
            found.append((path.parents[1].name, uuid))
    return found


def _move_aside(path: Path) -> Command:
    stamp = time.strftime("%Y%m%dT%H%M%S")
    return Command(argv=("mv", "-n", str(path), f"{path}.damaged-{stamp}"))


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown
