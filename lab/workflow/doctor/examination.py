"""`lab doctor`: tries everything, one thing after another, and what is slow side by side."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from lab.errors import HostError, LabError, LockedError
from lab.machines.boxes import catalog
from lab.machines.boxes.profiles import PROFILES, Profile
from lab.machines.health import Check, Command, Finding, Health, Verdict, examine, finding_of
from lab.machines.probes import (
    bridge,
    disk,
    kernel,
    libvirt,
    programs,
    surroundings,
    vagrant_index,
)
from lab.machines.providers import PROVIDERS, libvirt_storage
from lab.machines.providers.libvirt import Libvirt
from lab.machines.providers.lxc import Lxc
from lab.machines.providers.virtualbox import VirtualBox
from lab.system import lock, parallel, process
from lab.workflow.doctor import class_state, leftovers, limits
from lab.workflow.doctor.machine import BOOTS, NO_MACHINE, TITLES, try_machine
from lab.workflow.doctor.provider_state import provider_works
from lab.workflow.doctor.subject import Subject, subject_of
from lab.workflow.observer import Observer
from lab.workflow.scratch import DEFAULT_BOX, guarded

# LXC's own default, where it does not say.
_LXCPATH = Path("/var/lib/lxc")
_SLOW_AT_A_TIME = 4
_PROJECT_GB, _VAGRANT_GB, _MACHINES_GB, _BUILD_GB = 0.2, 0.5, 1.0, 2.0


@dataclass(frozen=True, kw_only=True)
class _Found:
    """A finding with what it takes to mend it and to look again."""

    finding: Finding
    commands: tuple[Command, ...] = ()
    check: Check | None = None


def diagnose(labs_yaml: Path, *, fix: bool, observer: Observer) -> list[Finding]:
    """Try everything that a class depends on.

    Args:
        labs_yaml: the class; where there is none, only this computer is looked at.
        fix: whether to run the fixes that harm nobody.
        observer: told of what takes long, and of each fix before it is run.

    Returns:
        A finding for each check, always in the same order.

    Raises:
        Interrupted: somebody stopped lab; what was booted is gone.
    """
    subject = subject_of(labs_yaml)
    checks = [*_of_host(subject), *_of_class(subject)]
    found = {check.id: _look(check, lambda _: None) for check in checks if not check.slow}
    # What is slow depends on what is quick: a bridge that is up by now carries a machine.
    if fix:
        found |= _mended(subject, list(found.values()), observer)
    with guarded():
        slow = _side_by_side(subject, [check for check in checks if check.slow], observer)
    order = [*(check.id for check in checks), *TITLES]
    found |= slow
    return [found[id_].finding for id_ in order]


def _side_by_side(
    subject: Subject, checks: Sequence[Check], observer: Observer
) -> dict[str, _Found]:
    jobs: dict[str, Callable[[Callable[[str], None]], list[_Found]]] = {
        check.title: partial(_looked, check) for check in checks
    }
    jobs["a machine, from inside"] = partial(_machine, subject)
    observer.started(len(jobs), "trying what takes longer")
    done = parallel.run_all(
        list(jobs),
        lambda title, tell: jobs[title](tell),
        workers=_SLOW_AT_A_TIME,
        on_news=observer.machine,
        on_done=lambda title, _: observer.done(title, ok=True, summary="tried"),
    )
    observer.finished()
    found: dict[str, _Found] = {}
    for result in done:
        if result.error is not None:
            raise result.error
        found |= {it.finding.id: it for it in result.value or ()}
    return found


def _looked(check: Check, tell: Callable[[str], None]) -> list[_Found]:
    tell("trying")
    return [_look(check, tell)]


def _look(check: Check, tell: Callable[[str], None]) -> _Found:
    finding, commands = examine(check, tell)
    return _Found(finding=finding, commands=commands, check=check)


def _machine(subject: Subject, tell: Callable[[str], None]) -> list[_Found]:
    """Everything that is tried from inside a machine: one boot for all of it."""
    verdicts: dict[str, Verdict] = {}

    def all_of_it(tell: Callable[[str], None]) -> Verdict:
        subject.provider.require()
        verdicts.update(try_machine(subject, tell))
        return next(iter(verdicts.values()))

    whole, _ = examine(Check(id=BOOTS, title=TITLES[BOOTS], look=all_of_it), tell)
    # Why there is no machine is told once.
    found = [
        replace(whole, id=id_, title=title, found=NO_MACHINE, fix="")
        for id_, title in TITLES.items()
    ]
    return [
        _Found(finding=finding_of(it.id, it.title, verdicts[it.id]) if it.id in verdicts else it)
        for it in [whole, *found[1:]]
    ]


def _mended(subject: Subject, found: Sequence[_Found], observer: Observer) -> dict[str, _Found]:
    """Run the fixes that harm nobody, and look again."""
    fixable = [it for it in found if it.commands and it.check is not None]
    troubles: dict[str, str] = {}
    of_project = any(it.check is not None and it.check.of_project for it in fixable)
    with _lock_of(subject, wanted=of_project) as held:
        for it in fixable:
            if it.check is not None and (held or not it.check.of_project):
                troubles[it.finding.id] = _run(it.commands, observer)
    observer.note("")
    # Not before the lock is free again: a lock that is held is a finding.
    return {
        it.finding.id: _again(it, troubles[it.finding.id])
        for it in fixable
        if it.finding.id in troubles
    }


def _again(before: _Found, trouble: str) -> _Found:
    """What is found after a fix; `trouble` is why it did not succeed, if it did not."""
    assert before.check is not None
    after = _look(before.check, lambda _: None)
    finding = after.finding
    if finding.outcome is Health.OK:
        finding = replace(finding, fix=before.finding.fix, safe=True, fixed=True)
    elif trouble:
        finding = replace(finding, found=f"{finding.found}\n{trouble}")
    return replace(after, finding=finding)


def _run(commands: Sequence[Command], observer: Observer) -> str:
    """Run commands as far as they succeed; why one did not."""
    for command in commands:
        observer.note(f"running: {command}")
        try:
            command.run()
        except process.Interrupted:
            raise
        except LabError as error:
            return f"The fix failed: {error.message}\n{error.details}".strip()
    return ""


@contextlib.contextmanager
def _lock_of(subject: Subject, *, wanted: bool) -> Iterator[bool]:
    """Hold the project's lock where that is wanted; says whether it is held.

    Another lab that holds it is a finding of its own, and no reason to leave out the rest.
    """
    with contextlib.ExitStack() as stack:
        held = False
        if wanted and subject.folder is not None:
            with contextlib.suppress(LockedError):
                stack.enter_context(lock.hold(subject.folder.lock, operation="doctor --fix"))
                held = True
        yield held


def _quick(id_: str, title: str, look: Callable[[], Verdict], *, of_project: bool = False) -> Check:
    return Check(id=id_, title=title, look=lambda _: look(), of_project=of_project)


def _slow(id_: str, title: str, look: Callable[[], Verdict]) -> Check:
    return Check(id=id_, title=title, look=lambda _: look(), slow=True)


def _of_host(subject: Subject) -> list[Check]:
    """What has to do with this computer."""
    return [
        *_of_providers(subject),
        _slow("programs.vagrant", "Vagrant", programs.vagrant),
        _quick("programs.ssh", "SSH", programs.ssh),
        _quick("programs.ssh-keygen", "SSH keys", programs.ssh_keygen),
        *(_of_linux(subject) if subject.provider.name != VirtualBox.name else ()),
        *(_of_lxc(subject) if subject.provider.name == Lxc.name else ()),
        *(_of_libvirt() if subject.provider.name == Libvirt.name else ()),
        _quick(
            "vagrant.index",
            "Vagrant's list of machines",
            lambda: vagrant_index.machine_index(subject.folder.project if subject.folder else None),
        ),
        _quick("limits.class", "the whole class fits", lambda: limits.class_fits(subject)),
        _quick("clock.archive", "this computer's clock", surroundings.clock),
        *_of_disks(subject),
        _quick(
            "leftovers.builds",
            "builds of boxes that were killed",
            lambda: leftovers.box_builds(leftovers.BUILDS),
        ),
        _quick(
            "leftovers.sticks",
            "boxes on their way to or from a stick",
            lambda: leftovers.stick_work(leftovers.BUILDS),
        ),
        _quick(
            "leftovers.proofs",
            "machines to prove guides on",
            lambda: leftovers.proofs(subject.provider),
        ),
        _slow("environment.python", "Python and lab's packages", surroundings.python_packages),
        _quick("environment.home", "HOME", lambda: surroundings.home(os.environ)),
        _quick("environment.locale", "the locale", surroundings.utf8),
        _quick("environment.umask", "umask", surroundings.umask),
        _quick("environment.temporary", "temporary files", surroundings.temporary_files),
    ]


def _of_providers(subject: Subject) -> list[Check]:
    """Why the class's provider, and not another; each may have a service to ask."""
    return [
        _slow(
            f"providers.{name}",
            f"the provider {name}",
            partial(provider_works, name, used=subject.provider.name),
        )
        for name in PROVIDERS
    ]


def _of_linux(subject: Subject) -> list[Check]:
    """What matters where a Linux host's own means boot the machines, and build their boxes."""
    return [
        _quick("programs.root", "root's rights", programs.root_rights),
        _quick("programs.debootstrap", "building boxes", partial(_debootstrap, subject)),
        _quick("limits.kernel", "the kernel's limits", lambda: limits.kernel_limits(subject)),
        _slow("kvm", "KVM", lambda: kernel.kvm(roots=_roots(), provider=subject.provider.name)),
    ]


def _of_lxc(subject: Subject) -> list[Check]:
    """What only LXC's machines need."""
    machines = len(subject.students) or limits.USUAL_CLASS
    return [
        _slow("programs.vagrant-lxc", "Vagrant's plugin for LXC", programs.vagrant_lxc),
        _quick("programs.lxc", "LXC", programs.container),
        _quick("programs.dnsmasq", "dnsmasq", programs.dnsmasq),
        _quick("bridge.up", "LXC's bridge", bridge.up),
        _quick("bridge.forwarding", "the way out of the bridge", bridge.forwarding),
        _quick("bridge.dns", "the bridge's name server", bridge.name_server),
        _quick("bridge.isolation", "keeping machines apart", bridge.isolation),
        _quick(
            "bridge.addresses",
            "addresses beside the DHCP server's",
            lambda: bridge.room_beside_dhcp(machines),
        ),
        _quick(
            "disk.machines",
            "LXC's folder",
            lambda: disk.writable_by_root(
                _lxcpath(), needed_gb=_MACHINES_GB, why="The machines are there."
            ),
        ),
        _quick(
            "leftovers.roots", "half-unpacked boxes", lambda: leftovers.half_unpacked(_lxcpath())
        ),
    ]


def _of_libvirt() -> list[Check]:
    """What only libvirt's machines need."""
    return [
        _quick("libvirt.pool", "libvirt's storage pool", libvirt.pool),
        _quick("libvirt.networks", "libvirt's networks", libvirt.networks),
        _quick(
            "disk.machines",
            "libvirt's folder",
            lambda: disk.writable_by_root(
                libvirt_storage.ROOT, needed_gb=_MACHINES_GB, why="The machines are there."
            ),
        ),
        _quick("leftovers.images", "half-copied images", libvirt.half_copied_image),
    ]


def _of_disks(subject: Subject) -> list[Check]:
    project = subject.folder.root if subject.folder else Path.cwd()
    return [
        _quick(
            "disk.project",
            "the class's folder",
            lambda: disk.writable(
                project, needed_gb=_PROJECT_GB, why="lab keeps its notes, keys and logs there."
            ),
        ),
        _quick(
            "disk.vagrant",
            "Vagrant's folder",
            lambda: disk.writable(
                catalog.vagrant_home(), needed_gb=_VAGRANT_GB, why="Vagrant keeps boxes there."
            ),
        ),
        _quick(
            "disk.builds",
            "where boxes are built",
            lambda: disk.writable(
                leftovers.BUILDS,
                needed_gb=_BUILD_GB,
                why="Boxes are built there.",
                urgent=False,
            ),
        ),
    ]


def _of_class(subject: Subject) -> list[Check]:
    """What has to do with the class in this folder, if there is one."""
    folder = subject.folder
    if folder is None:
        return []
    return [
        _quick("class.labs-yaml", "labs.yaml", lambda: class_state.labs_yaml(subject, folder)),
        _quick("class.copy", "a folder of its own", lambda: class_state.copied(folder)),
        _quick("class.state", "lab's notes", lambda: class_state.state_files(folder)),
        _quick("class.machines", "the machines", lambda: class_state.machines(subject, folder)),
        _quick(
            "class.keys",
            "the machines' keys",
            lambda: class_state.keys(subject, folder),
            of_project=True,
        ),
        _quick("class.lock", "the lock", lambda: leftovers.lock(folder)),
        _quick(
            "clock.files",
            "files of the future",
            lambda: surroundings.from_the_future(folder.root),
            of_project=True,
        ),
        _quick(
            "leftovers.machines",
            "machines to bake on",
            lambda: leftovers.scratch_machines(subject, folder),
            of_project=True,
        ),
        _quick(
            "leftovers.processes",
            "programs of a dead lab",
            lambda: leftovers.orphan_processes(folder),
        ),
        _quick(
            "leftovers.files",
            "half-written files",
            lambda: leftovers.half_written(folder),
            of_project=True,
        ),
    ]


def _debootstrap(subject: Subject) -> Verdict:
    """Of the first box of labs.yaml that lab builds, else of the usual one."""
    named = [lab.box for lab in subject.classroom.labs] if subject.classroom else []
    profile: Profile = next(
        (PROFILES[box] for box in named if box in PROFILES), PROFILES[DEFAULT_BOX]
    )
    there = catalog.find(profile.box, provider=subject.provider.name) is not None
    return programs.debootstrap(profile, box_is_there=there)


def _lxcpath() -> Path:
    """Where LXC keeps its containers."""
    with contextlib.suppress(HostError):
        said = process.run(process.as_root(["lxc-config", "lxc.lxcpath"]), check=False)
        if said.ok and said.stdout.strip():
            return Path(said.stdout.strip())
    return _LXCPATH


def _roots() -> list[Path]:
    """The unpacked roots of boxes, as far as this user may see them."""
    with contextlib.suppress(OSError):
        return sorted((_lxcpath() / ".lab-roots").iterdir())
    return []
