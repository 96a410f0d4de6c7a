"""Who had which login, in a note that outlives machines.

Marks hang on logins: whoever had one keeps it, with or without a machine. Each line of
`.lab/state/logins.jsonl` is one student in one lab, so that a teacher can remove one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from lab.classroom.roster_logins import Holder
from lab.errors import LabError
from lab.machines.fleet import Machine
from lab.system.files import LabFolder, write_if_changed
from lab.workflow.records import MachineRecord, all_records

LOGINS_FILE = "logins.jsonl"

# It says who people are.
_MODE = 0o600
_FIELDS = ("lab", "login", "name", "email", "id_number")


def all_holders(folder: LabFolder) -> tuple[Holder, ...]:
    """Who had which login at the last `lab up`, by lab and login.

    Of a machine that is not in the note, as after its loss, the machine's own record tells.

    Raises:
        LabError: the note is damaged, or cannot be read.
    """
    found = {(it.lab, it.login): it for it in map(_from_record, all_records(folder).values())}
    for holder in _noted(folder):
        place = (holder.lab, holder.login)
        found[place] = replace(holder, has_machine=place in found)
    return tuple(found[place] for place in sorted(found))


def note_holders(folder: LabFolder, machines: Sequence[Machine] = ()) -> None:
    """Note whose logins those of the machines are; nobody who is noted is forgotten.

    Whoever notes it holds the project's lock.

    Raises:
        LabError: the note is damaged, or cannot be written; it is as it was.
    """
    found = {(it.lab, it.login): it for it in all_holders(folder)}
    for machine in machines:
        lab, student = machine.lab.name, machine.student
        found[lab, student.login] = Holder(
            lab=lab,
            login=student.login,
            name=student.name,
            email=student.email,
            id_number=student.id_number,
        )
    lines = [
        json.dumps({name: getattr(found[place], name) for name in _FIELDS}, ensure_ascii=False)
        for place in sorted(found)
    ]
    if lines:
        write_if_changed(folder.state / LOGINS_FILE, "\n".join(lines) + "\n", mode=_MODE)


def _noted(folder: LabFolder) -> list[Holder]:
    path = folder.state / LOGINS_FILE
    try:
        # Not `splitlines`: a name may hold what it takes for the end of a line.
        lines = path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no UTF-8"
        raise LabError(
            f"{path} could not be read: {why}",
            hint="It says who had which login. Mend its permissions, or bring it back from a"
            " backup.",
        ) from error
    return [
        _from_line(line, f"{path}:{number}") for number, line in enumerate(lines, 1) if line.strip()
    ]


def _from_line(line: str, where: str) -> Holder:
    try:
        said = json.loads(line)
        values = {name: said.get(name, "") for name in _FIELDS}
    except (ValueError, AttributeError, RecursionError) as error:
        raise _damaged(where) from error
    if not all(isinstance(value, str) for value in values.values()) or not values["login"]:
        raise _damaged(where)
    return Holder(**values)


def _damaged(where: str) -> LabError:
    return LabError(
        f"{where} is damaged: it says who had which login, and this line cannot be read",
        hint="Bring the file back from a backup; or remove that line: a student who has no machine"
        " may get another login then.",
    )


def _from_record(record: MachineRecord) -> Holder:
    return Holder(
        # A record that is damaged may hold anything.
        lab=str(record.lab),
        login=str(record.login),
        name=str(record.name),
        email=str(record.email),
        id_number=str(record.id_number),
        has_machine=True,
    )
