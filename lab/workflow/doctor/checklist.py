"""What `lab doctor` looks at, by name: this computer, its providers, its disks, the class."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from lab.errors import HostError
from lab.machines.boxes import catalog
from lab.machines.boxes.profiles import PROFILES, Profile
from lab.machines.health import Check, Verdict
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
from lab.system import process
from lab.workflow.doctor import class_state, leftovers, limits
from lab.workflow.doctor.provider_state import provider_works
from lab.workflow.doctor.subject import Subject
from lab.workflow.scratch import DEFAULT_BOX

# LXC's own default, where it does not say.
_LXCPATH = Path("/var/lib/lxc")
_PROJECT_GB, _VAGRANT_GB, _MACHINES_GB, _BUILD_GB = 0.2, 0.5, 1.0, 2.0


def checks_for(subject: Subject) -> list[Check]:
    """All that is looked at from outside a machine, in the order in which it is told."""
    return [*_of_host(subject), *_of_class(subject)]


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
