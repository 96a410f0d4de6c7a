"""The boxes that lab builds itself from a distribution's archive.

Public box registries come and go.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from lab.errors import UsageError

_BASE = (
    "ca-certificates",
    "dbus",
    "iproute2",
    "netbase",
    "openssh-server",
    "sudo",
    "systemd-sysv",
)


# fdisk has sfdisk, with which a machine's partition grows to its disk.
_MACHINE = ("e2fsprogs", "fdisk", "initramfs-tools")
_DEBIAN_MACHINE = (*_MACHINE, "systemd-timesyncd", "zstd")


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A distribution's release as a box.

    Attributes:
        name: what labs.yaml calls it.
        distribution: `debian` or `ubuntu`.
        suite: the release's code name, as debootstrap knows it.
        components: of the archive.
        packages: beyond debootstrap's minimal base.
        machine_packages: those that only a full machine needs.
        kernel: the package of the kernel that has the drivers of libvirt's devices, and few others.
        full_kernel: the package of the kernel that has all drivers.
        more_suites: suffixes of further suites of the same archive to install from.
        keyring: where the archive's keyring usually is, "" where debootstrap's own choice will do.
        keyring_package: the package that brings it.
    """

    name: str
    distribution: str
    suite: str
    components: tuple[str, ...] = ("main",)
    packages: tuple[str, ...] = ()
    machine_packages: tuple[str, ...] = ()
    kernel: str = ""
    full_kernel: str = ""
    more_suites: tuple[str, ...] = ()
    keyring: str = ""
    keyring_package: str = ""

    @property
    def box(self) -> str:
        """What Vagrant calls the box."""
        return f"lab/{self.name}"

    def packages_for(self, provider: str) -> tuple[str, ...]:
        """What a provider's box has beyond debootstrap's minimal base: its kernel too."""
        if provider == "lxc":
            return self.packages
        kernel = self.kernel if provider == "libvirt" else self.full_kernel
        return (*self.packages, *self.machine_packages, kernel)


PROFILES = {
    profile.name: profile
    for profile in (
        Profile(
            name="ubuntu-18.04",
            distribution="ubuntu",
            suite="bionic",
            components=("main", "universe"),
            packages=_BASE,
            machine_packages=_MACHINE,
            kernel="linux-image-virtual",
            full_kernel="linux-image-generic",
            more_suites=("-updates", "-security"),
            keyring="/usr/share/keyrings/ubuntu-archive-keyring.gpg",
            keyring_package="ubuntu-keyring (or ubuntu-archive-keyring)",
        ),
        # From bookworm on, systemd-resolved is a package of its own.
        Profile(
            name="debian-12",
            distribution="debian",
            suite="bookworm",
            packages=(*_BASE, "systemd-resolved"),
            machine_packages=_DEBIAN_MACHINE,
            kernel="linux-image-cloud-amd64",
            full_kernel="linux-image-amd64",
            keyring="/usr/share/keyrings/debian-archive-keyring.gpg",
            keyring_package="debian-archive-keyring",
        ),
        Profile(
            name="debian-11",
            distribution="debian",
            suite="bullseye",
            packages=_BASE,
            machine_packages=_DEBIAN_MACHINE,
            kernel="linux-image-cloud-amd64",
            full_kernel="linux-image-amd64",
            keyring="/usr/share/keyrings/debian-archive-keyring.gpg",
            keyring_package="debian-archive-keyring",
        ),
    )
}


def profile_named(name: str) -> Profile:
    """The profile of that name.

    Raises:
        UsageError: there is none; with what comes near.
    """
    if name in PROFILES:
        return PROFILES[name]
    near = difflib.get_close_matches(name, PROFILES, n=1)
    raise UsageError(
        f"lab has no box profile {name!r}" + (f"; did you mean {near[0]}?" if near else ""),
        details="It can build: " + ", ".join(PROFILES),
        hint="lab box build debian-12",
    )
