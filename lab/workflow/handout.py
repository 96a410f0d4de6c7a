"""`lab handout`: a page for each student, with their private key and nobody else's.

The key goes from its file into the student's own files and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.classroom.fields import is_host_name
from lab.classroom.handout import Handout
from lab.classroom.wording import FALLBACK, in_language
from lab.errors import UsageError
from lab.machines.fleet import Machine
from lab.machines.keys import fingerprint
from lab.report.handout_page import handout_page
from lab.report.handout_pdf import handout_pdf, require_pdf
from lab.system.files import make_folder, make_private_folder, remove, sweep, write_private
from lab.workflow.observer import Observer
from lab.workflow.project import Project
from lab.workflow.reconcile import Found, find
from lab.workflow.records import Stage

FOLDER = "handouts"
FORMATS = ("html", "pdf")
_LOGIN = "{login}"
_USER = re.compile(r"[A-Za-z0-9_][-A-Za-z0-9_.]{0,63}")
_MOST_PORT = 65535


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What handouts are to be like.

    Attributes:
        folder: where they go, each lab's into a folder of its own there.
        formats: some of `FORMATS`.
        language: of the pages; None takes each lab's own, else English.
        via: the jump host, see `check_via`; "" for none.
        contact: whom students ask, "" for the teacher.
    """

    folder: Path
    formats: Collection[str] = FORMATS
    language: str | None = None
    via: str = ""
    contact: str = ""


@dataclass(frozen=True, kw_only=True)
class Without:
    """A student who gets no handout: their machine's name and target, and why."""

    machine: str
    target: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Handouts:
    """What came of it.

    Attributes:
        pages: the files to read and to print, in the order of labs.yaml.
        without: who got none.
        unfinished: the targets whose machine's steps are not all done: the student may not be able
            to log in yet.
        left_over: files that are in the labs' folders and nobody's of labs.yaml any more.
    """

    pages: tuple[Path, ...]
    without: tuple[Without, ...]
    unfinished: tuple[str, ...]
    left_over: tuple[Path, ...]


def check_via(via: str) -> None:
    """See that a jump host is written as `ssh -J` takes it: `[USER@]HOST[:PORT]`.

    USER may be `{login}`, where each student has an account of that name there.

    Raises:
        UsageError: it is not.
    """
    user, at, place = via.rpartition("@")
    host, colon, port = place.partition(":")
    user_is_well = not at or user == _LOGIN or _USER.fullmatch(user)
    port_is_well = not colon or (re.fullmatch("[1-9][0-9]{0,4}", port) and int(port) <= _MOST_PORT)
    if not (user_is_well and port_is_well and is_host_name(host.lower())):
        raise UsageError(
            f"{via!r} is not a host to come in through",
            hint="Write it as USER@HOST or USER@HOST:PORT; {login} as USER is each student's own.",
        )


def make_handouts(
    project: Project, machines: Sequence[Machine], *, wanted: Wanted, observer: Observer
) -> Handouts:
    """Write the handouts of the machines' students, closed to everybody else.

    What was there of a student is replaced: also in formats that are not wanted now, and where they
    get none, since it may tell of a machine that is no more.

    Raises:
        HostError: PDFs are wanted and cannot be made.
        LabError: a file cannot be written.
        ProcessError: the provider did not answer.
        UsageError: the jump host is none, or there is nothing to make the folder in.
    """
    if wanted.via:
        check_via(wanted.via)
    if "pdf" in wanted.formats:
        require_pdf()
    found = find(project, machines, project.provider.guests(project.prefix))
    if not wanted.folder.parent.is_dir():
        raise UsageError(
            f"There is no folder {wanted.folder.parent} to make {wanted.folder.name} in",
            hint=f"Make it first: mkdir -p {wanted.folder.parent}; or write elsewhere.",
        )
    make_folder(wanted.folder)
    for lab in {machine.lab.name for machine in machines}:
        make_private_folder(wanted.folder / lab)
        sweep(wanted.folder / lab)
    pages: list[Path] = []
    without: list[Without] = []
    observer.started(len(machines), "writing handouts")
    for machine in machines:
        observer.machine(machine.name, "handout")
        why = _why_not(found[machine.name], via=wanted.via)
        files = {} if why else _files_of(_handout_of(found[machine.name], wanted), machine, wanted)
        for path in _paths(machine, wanted.folder):
            if path in files:
                write_private(path, files[path])
            else:
                remove(path)
        pages += [path for path in files if path.suffix != ".key"]
        if why:
            without.append(Without(machine=machine.name, target=machine.target, why=why))
        observer.done(machine.name, ok=not why, summary=why or "handout written")
    observer.finished()
    missing = {it.machine for it in without}
    return Handouts(
        pages=tuple(pages),
        without=tuple(without),
        unfinished=tuple(
            machine.target
            for machine in machines
            if machine.name not in missing and not _finished(found[machine.name])
        ),
        left_over=_left_over(project, machines, wanted.folder),
    )


def _paths(machine: Machine, folder: Path) -> tuple[Path, Path, Path]:
    """A student's page, its PDF, and the key that goes with paper."""
    stem = folder / machine.lab.name / machine.student.login
    return (
        stem.with_name(f"{machine.student.login}.html"),
        stem.with_name(f"{machine.student.login}.pdf"),
        stem.with_name(f"{machine.name}.key"),
    )


def _why_not(found: Found, *, via: str) -> str:
    """Why a page would be of no use to the student, "" where it would."""
    machine = found.machine
    if found.foreign:
        return f"a guest that is not lab's is in the place of {machine.name}"
    if found.guest is None or found.to_be_made:
        return f"{machine.name} is not there yet"
    if not _address(found):
        return f"{machine.name} is {found.guest.state}, and gets its address as it boots"
    if machine.ports and not via:
        return (
            f"{machine.name} is reached from this computer alone: name it as the jump host, --via"
        )
    if not _private_key(machine) or not _is_key(machine.keys.host_public):
        return f"the keys of {machine.name} cannot be read in {machine.keys.folder}"
    return ""


def _address(found: Found) -> str:
    """Where the machine is, or will be when it is started; "" where nobody knows."""
    told = found.guest.ip if found.guest is not None else ""
    return told or found.machine.known_at


def _private_key(machine: Machine) -> str:
    """The student's private key, "" where it cannot be read."""
    try:
        return machine.keys.student.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""


def _is_key(public: str) -> bool:
    try:
        return bool(fingerprint(public))
    except (IndexError, ValueError):
        return False


def _finished(found: Found) -> bool:
    return found.record is not None and found.record.stage is Stage.READY


def _handout_of(found: Found, wanted: Wanted) -> Handout:
    machine = found.machine
    language = wanted.language or machine.lab.lang or FALLBACK
    return Handout(
        lab=machine.lab.name,
        title=in_language(machine.guide.title, language) or machine.lab.name,
        login=machine.student.login,
        name=machine.student.name,
        machine=machine.name,
        address=_address(found),
        address_stays=bool(machine.known_at),
        ssh_port=machine.ssh_port,
        web_port=machine.http_port,
        vhost=machine.student.vhost,
        host_key=" ".join(machine.keys.host_public.split()[:2]),
        fingerprint=fingerprint(machine.keys.host_public),
        first=_first(machine.guide.handout, language),
        language=language,
        via=wanted.via.replace(_LOGIN, machine.student.login),
        contact=wanted.contact,
    )


def _first(lines: Mapping[str, tuple[str, ...]], language: str) -> tuple[str, ...]:
    """What to do first in a language, else in English, else in whichever there is."""
    return lines.get(language) or lines.get(FALLBACK) or next(iter(lines.values()), ())


def _files_of(handout: Handout, machine: Machine, wanted: Wanted) -> dict[Path, str | bytes]:
    """What goes into a student's files. Paper is left on tables: it has no key, and a file has."""
    html, pdf, key_file = _paths(machine, wanted.folder)
    key = _private_key(machine)
    files: dict[Path, str | bytes] = {}
    if "html" in wanted.formats:
        files[html] = handout_page(handout, key=key)
    if "pdf" in wanted.formats:
        files[pdf] = handout_pdf(handout)
        files[key_file] = key
    return files


def _left_over(project: Project, machines: Sequence[Machine], folder: Path) -> tuple[Path, ...]:
    """Handouts in the machines' labs' folders that are of no student of labs.yaml."""
    known = {path for machine in project.machines for path in _paths(machine, folder)}
    suffixes = {path.suffix for path in known}
    labs = sorted({machine.lab.name for machine in machines})
    return tuple(
        path
        for lab in labs
        for path in sorted((folder / lab).iterdir())
        if path.suffix in suffixes and path not in known
    )
