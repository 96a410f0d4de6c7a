"""What lab keeps of a class, against itself and against what the provider really has."""

from __future__ import annotations

import shlex
from pathlib import Path

from lab.errors import LabError
from lab.machines.health import Command, Verdict, from_error, note, ok, problem
from lab.report.layout import amount, listing
from lab.system.files import LabFolder, read_json
from lab.workflow.doctor.subject import Subject
from lab.workflow.holders import LOGINS_FILE, all_holders
from lab.workflow.project import PROJECT_FILE
from lab.workflow.provider_choice import refuse_other_machines
from lab.workflow.records import Stage, all_records, read_record

_KEYS = ("admin", "host", "student")
_OTHERS_MAY = 0o077
_CLOSED = "600"


def labs_yaml(subject: Subject, folder: LabFolder) -> Verdict:
    """Whether labs.yaml, its roster and its guides are right, and the provider is the machines'."""
    if subject.trouble is not None:
        return from_error(subject.trouble, why="No command on machines works until it is right.")
    assert subject.classroom is not None
    labs = subject.classroom.labs
    try:
        refuse_other_machines(subject.classroom, folder)
    except LabError as error:
        return from_error(error, why="`lab up` boots nothing.")
    return ok(f"{amount(len(labs), 'lab')}, {amount(len(subject.students), 'machine')}")


def copied(folder: LabFolder) -> Verdict:
    """Whether this folder is a copy of another one, whose machines these are."""
    known = read_json(folder.state / PROJECT_FILE)
    there = str(known.get("path", ""))
    if not known.get("id"):
        return ok("no machine was made here yet")
    if there in {"", str(folder.project.resolve())}:
        return ok(f"this folder's machines are its own ({known['id']})")
    if read_json(LabFolder(Path(there)).state / PROJECT_FILE).get("id") == known["id"]:
        mine = shlex.join([str(folder.root), str(folder.project / ".vagrant")])
        return problem(
            f"This folder is a copy of {there}, whose machines these are",
            why="What is done here would be done to that class's machines.",
            fix=f"Work there; or make this one a class of its own: rm -r {mine}",
        )
    return note(f"This folder was moved here from {there}; the machines have moved with it")


def state_files(folder: LabFolder) -> Verdict:
    """Whether all that lab has noted can be read."""
    path = folder.state / PROJECT_FILE
    try:
        read_json(path)
    except LabError as error:
        return problem(
            error.message,
            why="Without it lab knows its machines only by what else it finds of them.",
            fix=shlex.join(["mv", str(path), f"{path}.damaged"]) + ", then: lab plan",
        )
    logins = folder.state / LOGINS_FILE
    try:
        all_holders(folder)
    except LabError as error:
        return problem(
            error.message,
            why="Without it students may get other logins, and lose their marks.",
            fix=error.hint,
        )
    records = sorted((folder.state / "machines").glob("*.json"))
    damaged = [record.stem for record in records if read_record(folder, record.stem) is None]
    if damaged:
        return note(f"the notes of {listing(damaged)} are damaged", fix="lab up writes them anew")
    count = len(records) + path.exists() + logins.exists()
    return ok(f"{amount(count, 'file')} can be read")


def machines(subject: Subject, folder: LabFolder) -> Verdict:
    """Whether labs.yaml, lab's notes and the provider have the same machines.

    What lab has no note of is as well as any other once it has started: `lab up` notes it anew.
    """
    records = all_records(folder)
    there = subject.guests()
    wanted = set(subject.students) if subject.classroom is not None else {*there, *records}
    began = {name for name, guest in there.items() if guest.started}
    made = {name for name, record in records.items() if record.stage is not Stage.CREATING}
    found = [
        (sorted((began | there.keys() & records) - wanted), "off the roster (orphans)"),
        (sorted(there.keys() - began), "never started (made only half, or not of lab's making)"),
        (sorted(made & wanted - there.keys()), "made by lab, and gone"),
    ]
    told = [f"{listing(names)}: {what}" for names, what in found if names]
    if not told:
        return ok(
            f"{amount(len(there), 'machine')}, none of them half-made, lost or off the roster"
        )
    return note("\n".join(told), fix="lab plan   (says what lab up would do about each)")


def keys(subject: Subject, folder: LabFolder) -> Verdict:
    """Whether lab has the SSH keys of the machines that there are, closed to others."""
    lost, open_ = [], []
    for machine in subject.guests():
        paths = [folder.ssh / machine / kind for kind in _KEYS]
        if not all(path.is_file() for path in paths):
            lost.append(machine)
        open_ += [path for path in paths if path.is_file() and path.stat().st_mode & _OTHERS_MAY]
    if lost:
        names = " ".join(lost)
        return problem(
            f"The SSH keys of {listing(lost)} are not in {folder.ssh}",
            why="Nobody gets into a machine without its keys; they are made with it.",
            fix=f"Restore {folder.ssh} from a backup; or make the machines anew: "
            f"lab destroy {names} && lab up {names}",
        )
    if open_:
        return problem(
            f"{amount(len(open_), 'private key')} can be read by others ({open_[0]})",
            why="SSH refuses such a key.",
            commands=(Command(argv=("chmod", _CLOSED, *map(str, open_))),),
        )
    return ok("there, and closed to others" if folder.ssh.exists() else "none are needed yet")
