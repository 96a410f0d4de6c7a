"""What a machine sees: a scratch machine boots, and tries from inside what steps will need."""

from __future__ import annotations

import re
import shlex
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from lab.classroom.classes import GuestSettings, Lab, MachineSize, Student
from lab.classroom.guide import Guide
from lab.errors import MachineError, ProcessError
from lab.machines import kit, ssh
from lab.machines.boxes import catalog
from lab.machines.boxes.names import box_name
from lab.machines.boxes.profiles import PROFILES
from lab.machines.fleet import Machine
from lab.machines.guest_settings import write_settings
from lab.machines.health import Verdict, ok, problem, unknown
from lab.machines.keys import read_keys
from lab.machines.probes.package_index import index_url
from lab.machines.probes.vagrant_index import is_damaged
from lab.machines.providers.base import Provider
from lab.system.files import LabFolder
from lab.workflow.doctor.subject import Subject
from lab.workflow.scratch import (
    DEFAULT_BOX,
    USUAL_SETTINGS,
    Scratch,
    own_name,
    remove_dead_ones,
    scratch_machine,
)

PREFIX = "labdoctor-"
BOOTS = "machine.boots"
_NAMES, _ARCHIVE, _INDEX, _CLOCK = (
    "machine.names",
    "machine.archive",
    "machine.index",
    "machine.clock",
)
TITLES = {
    BOOTS: "a machine boots",
    _NAMES: "a machine resolves names",
    _ARCHIVE: "a machine reaches apt's archive",
    _INDEX: "a machine reaches the package index, and trusts it",
    _CLOCK: "a machine's clock",
}
NO_MACHINE = "No machine came up to try it from"
_SETTINGS = "bash /var/lib/lab/kit/settings.sh"
_ARCHIVE_HOST = (
    "cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | "
    "sed -n 's,^deb .*https*://\\([^/ ]*\\).*,\\1,p' | head -n 1"
)
_UPDATE = (
    "apt-get update -q -o APT::Update::Error-Mode=any -o Acquire::Retries=0 "
    "-o Acquire::http::Timeout=15 -o Acquire::https::Timeout=15"
)
_FETCH = "/usr/lib/apt/apt-helper -o Acquire::Retries=0 -o Acquire::https::Timeout=15 download-file"
_NO_TRUST = re.compile(r"certificate verification failed|certificate issuer is unknown", re.I)
# The server has answered, over a connection that the guest trusts.
_ANSWERED = re.compile(r"\b(401|403|404|405) ")
_TOO_EARLY = re.compile(r"is not valid yet|not yet valid", re.I)
_CLOCK_OFF_S = 60.0
_TRUST_HOST = "guest: {ca_certificates: host}   in labs.yaml"


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """What the scratch machine is made of, and what is handed to it."""

    box: str
    guest: GuestSettings


def try_machine(subject: Subject, tell: Callable[[str], None]) -> dict[str, Verdict]:
    """Boot a machine from a box that is there, try things in it, and remove it.

    Returns:
        A verdict for each of `TITLES`.

    Raises:
        Interrupted: somebody stopped lab; the machine is gone.
        LabError: nothing could be tried.
    """
    remove_dead_ones(subject.provider, PREFIX)
    wanted = _wanted(subject)
    if wanted is None:
        box = subject.classroom.labs[0].box if subject.classroom else DEFAULT_BOX
        build = box if box in PROFILES else DEFAULT_BOX
        nothing = unknown("There is no box to boot one from", fix=f"lab box build {build}")
        return dict.fromkeys(TITLES, nothing)
    if is_damaged():
        nothing = unknown(
            "Vagrant boots none while its list of machines is damaged (vagrant.index)"
        )
        return dict.fromkeys(TITLES, nothing)
    with tempfile.TemporaryDirectory(prefix=f"{own_name(PREFIX)}-") as work:
        place = Path(work)
        profile = PROFILES.get(wanted.box)
        write_settings(
            place / "settings", wanted.guest, distribution=profile.distribution if profile else ""
        )
        (place / "guide").mkdir()
        try:
            with scratch_machine(
                _machine(wanted, place, subject.provider),
                folder=LabFolder(place / "project"),
                provider=subject.provider,
                settings=place / "settings",
                log=place / "log",
                tell=tell,
            ) as scratch:
                found = _examined(scratch, wanted, tell)
                tell("removing it")
                # Vagrant keeps a list of its machines on this computer, and this one is none.
                with suppress(ProcessError):
                    scratch.vagrant.destroy([scratch.machine.name])
                return found
        except MachineError as error:
            broken = problem(
                f"{error.message}\n{error.details}".strip(),
                why="Each student's machine boots in the same way.",
                fix=f"lab box build {wanted.box} --force   (when it is the box)"
                if profile
                else "Mend the box, or name another one in labs.yaml",
            )
            return {**dict.fromkeys(TITLES, unknown(NO_MACHINE)), BOOTS: broken}


def _wanted(subject: Subject) -> _Wanted | None:
    """The first lab's box that is there, else the usual one; with what the lab hands to guests."""
    labs = subject.classroom.labs if subject.classroom else ()
    guest = labs[0].guest if labs else USUAL_SETTINGS
    choices = [_Wanted(box=lab.box, guest=lab.guest) for lab in labs]
    for wanted in (*choices, _Wanted(box=DEFAULT_BOX, guest=guest)):
        if catalog.find(box_name(wanted.box), provider=subject.provider.name) is not None:
            return wanted
    return None


def _machine(wanted: _Wanted, place: Path, provider: Provider) -> Machine:
    student = Student(
        login="doctor",
        name="doctor",
        email="",
        vhost="doctor",
        machine=MachineSize(),
        vars={},
        machine_name="doctor",
    )
    lab = Lab(
        name="doctor",
        guide="doctor",
        box=wanted.box,
        provider=provider.name,
        domain="",
        machine=MachineSize(),
        vars={},
        guest=wanted.guest,
        students=(student,),
    )
    return Machine(
        name="doctor",
        container=own_name(PREFIX),
        box=box_name(wanted.box),
        provider=provider.name,
        lab=lab,
        student=student,
        guide=Guide(name="doctor", folder=place / "guide", title={}, profiles={}, steps=()),
        keys=read_keys(place / "none"),
        class_variables={},
        student_variables={},
        steps=(),
        patience=provider.patience,
    )


def _examined(scratch: Scratch, wanted: _Wanted, tell: Callable[[str], None]) -> dict[str, Verdict]:
    machine, folder = scratch.machine, scratch.folder
    tell("handing it its settings")
    kit.run_steps(machine, folder, kit.pack_kit(machine, folder), tell=tell)
    shell = ssh.Shell(folder, machine.name, patience=machine.patience)
    try:
        handed = shell.run(_SETTINGS, timeout_s=120)
        if handed.exit_code:
            raise MachineError(
                "The machine did not take what labs.yaml hands to guests",
                details=handed.stderr.decode(errors="replace").strip(),
            )
        found = {BOOTS: ok(f"one of the box {wanted.box} boots, and lets lab in")}
        for id_, try_it in (
            (_CLOCK, _clock),
            (_NAMES, _names),
            (_ARCHIVE, _archive),
            (_INDEX, _index),
        ):
            tell(TITLES[id_])
            found[id_] = try_it(shell, wanted)
        return found
    finally:
        shell.close()


def _clock(shell: ssh.Shell, wanted: _Wanted) -> Verdict:
    del wanted
    theirs = float(shell.run("date +%s").stdout)
    off_s = abs(time.time() - theirs)
    if off_s <= _CLOCK_OFF_S:
        return ok("the same as this computer's")
    return problem(
        f"A machine's clock is {off_s:.0f} s off this computer's",
        why="apt and TLS refuse what is not valid yet, or no longer.",
        fix="sudo timedatectl set-ntp true",
    )


def _names(shell: ssh.Shell, wanted: _Wanted) -> Verdict:
    host = shell.run(_ARCHIVE_HOST).stdout.decode(errors="replace").strip()
    if not host:
        return unknown("apt in the box names no archive to look up")
    answer = shell.run(f"getent ahostsv4 {shlex.quote(host)}", timeout_s=20)
    if answer.exit_code == 0:
        return ok(f"{host} is found")
    if wanted.guest.proxy is not None:
        return ok(f"{host} is not found, which is the proxy's job here")
    return problem(
        f"A machine does not find {host}",
        why="Steps install from there.",
        fix=f"getent ahostsv4 {shlex.quote(host)}   (on this computer: if that fails too, mend its "
        "DNS; if not, see bridge.dns and bridge.forwarding)",
    )


def _archive(shell: ssh.Shell, wanted: _Wanted) -> Verdict:
    answer = shell.run(_UPDATE, timeout_s=120)
    # What older versions cannot fetch is only a warning to them.
    said = f"{answer.stdout.decode(errors='replace')}\n{answer.stderr.decode(errors='replace')}"
    troubles = [line for line in said.splitlines() if re.match(r"(E|W|Err):?", line)]
    if answer.exit_code == 0 and "Failed to fetch" not in said:
        return ok("apt-get update works")
    if "not found" in said and "apt-get" in said:
        return unknown("The box has no apt")
    if _NO_TRUST.search(said):
        fix = _trust(wanted)
    elif _TOO_EARLY.search(said):
        fix = "sudo timedatectl set-ntp true"
    else:
        fix = "guest: {apt_mirror: host}   in labs.yaml (or proxy: host, behind a proxy)"
    return problem(
        "apt-get update fails on a machine:\n" + "\n".join((troubles or [said.strip()])[-3:]),
        why="Steps install from the archive.",
        fix=fix,
    )


def _index(shell: ssh.Shell, wanted: _Wanted) -> Verdict:
    url = index_url(wanted.guest)
    if not url:
        return unknown("No pip on this computer says where the package index is")
    place = urlsplit(url)
    shown = place.hostname or url
    # Without a password that may stand in it.
    bare = place._replace(netloc=place.netloc.rpartition("@")[2]).geturl()
    answer = shell.run(
        f"{_FETCH} {shlex.quote(bare.rstrip('/') + '/pip/')} /tmp/lab-doctor", timeout_s=60
    )
    said = f"{answer.stdout.decode(errors='replace')}\n{answer.stderr.decode(errors='replace')}"
    if answer.exit_code == 0 or _ANSWERED.search(said):
        return ok(f"{shown} answers, and its certificate is trusted")
    if "apt-helper" in said and "not found" in said:
        return unknown("The box has no apt to try it with")
    trouble = next((line for line in said.splitlines() if line.startswith("E:")), said)
    if _NO_TRUST.search(said):
        return problem(
            f"A machine does not trust the certificate of {shown}: {trouble.strip()[:200]}",
            why="pip installs nothing there. Somebody between, a school's filter say, signs with a "
            "certificate of its own.",
            fix=_trust(wanted),
        )
    return problem(
        f"A machine does not reach {shown}: {trouble.strip()[:200]}",
        why="Steps install Python packages from there.",
        fix="guest: {pip_index: host}   in labs.yaml (or proxy: host, behind a proxy)",
    )


def _trust(wanted: _Wanted) -> str:
    if wanted.guest.ca_certificates is None:
        return _TRUST_HOST
    return (
        "This computer does not trust it either: put your school's certificate into "
        "/usr/local/share/ca-certificates and run: sudo update-ca-certificates"
    )
