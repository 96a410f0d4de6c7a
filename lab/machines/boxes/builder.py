"""Builds a box from the distribution's archive.

debootstrap, finishing touches, packing, and into Vagrant.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lab.errors import HostError
from lab.machines.boxes import catalog, libvirt, lxc, virtualbox
from lab.machines.boxes.profiles import Profile
from lab.machines.host_apt import host_mirror
from lab.machines.vagrant import Vagrant
from lab.system import process

_HERE = Path(__file__).parent
_FINISH = _HERE / "finish-root"
_PHASES = {
    "Retrieving": "downloading packages",
    "Unpacking": "unpacking",
    "Configuring": "configuring",
}
_DEBOOTSTRAP_TIMEOUT_S = 1800.0
_FINISH_TIMEOUT_S = 900.0


class Kind(Protocol):
    """What is different from one provider's boxes to another's.

    Attributes:
        SCRIPTS: the files that decide what is in such a box.
        FREE_GB: what building one takes in /var/tmp.
    """

    @property
    def SCRIPTS(self) -> tuple[Path, ...]:  # noqa: N802 (modules are kinds; it is a constant there)
        """See above."""

    @property
    def FREE_GB(self) -> float:  # noqa: N802 (as above)
        """See above."""

    def require(self) -> None:
        """See that this computer has what packing such a box takes.

        Raises:
            HostError: something is missing; with the command that installs it.
        """

    def finish(self, root: Path, *, log: Path) -> None:
        """Finish the root for the provider's machines, after the script `finish-root`.

        Raises:
            ProcessError: a command failed.
        """

    def pack(self, root: Path, *, name: str, recipe: str, log: Path) -> Path:
        """Make a box of the root; returns its file, beside the root.

        Args:
            root: the finished root.
            name: the profile's.
            recipe: the digest of what went in.
            log: gets the output of all commands.

        Raises:
            ProcessError: a command failed.
        """


_KINDS: Mapping[str, Kind] = {"lxc": lxc, "libvirt": libvirt, "virtualbox": virtualbox}
# Debian's packages of Vagrant with what it needs for a provider.
_VAGRANTS = {
    "lxc": "vagrant vagrant-lxc",
    "libvirt": "vagrant vagrant-libvirt",
    "virtualbox": "vagrant",
}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that decides what a box holds; the same recipe is not built twice.

    Attributes:
        profile: the release.
        provider: what shall boot it.
        mirror: the archive to take it from, None for the suite's own default in debootstrap.
        keyring: the keys that its signatures are checked with, None for the profile's usual file.
    """

    profile: Profile
    provider: str
    mirror: str | None = None
    keyring: Path | None = None

    @property
    def kind(self) -> Kind:
        """What makes boxes for the provider."""
        return _KINDS[self.provider]

    @property
    def digest(self) -> str:
        """The first 16 hex digits of the SHA-256 of all of it."""
        digest = hashlib.sha256(repr((self.profile, self.provider, self.mirror)).encode())
        for script in (_FINISH, *self.kind.SCRIPTS):
            digest.update(script.read_bytes())
        return digest.hexdigest()[:16]


def recipe_for(
    profile: Profile, *, provider: str, mirror: str | None = None, keyring: Path | None = None
) -> Recipe:
    """The recipe of a profile's box for a provider on this computer.

    Its mirror is this computer's own, when that serves the distribution.
    """
    return Recipe(
        profile=profile,
        provider=provider,
        mirror=mirror or host_mirror(profile.distribution),
        keyring=keyring,
    )


def built(recipe: Recipe) -> bool:
    """Whether Vagrant has the box of exactly this recipe."""
    box = catalog.find(recipe.profile.box, provider=recipe.provider)
    return box is not None and box.recipe == recipe.digest


def build(recipe: Recipe, *, vagrant: Vagrant, log: Path, note: Callable[[str], None]) -> None:
    """Build the box and give it to Vagrant.

    Args:
        recipe: what to build.
        vagrant: takes the box.
        log: gets the output of all commands.
        note: told of each phase; may be called from another thread.

    Raises:
        HostError: debootstrap, the keyring or disk space is missing.
        ProcessError: a command failed; the archive may be out of reach.
    """
    keyring = _require(recipe)
    name = recipe.profile.name
    # Large, so not in /tmp, which may be a tmpfs.
    work = Path(tempfile.mkdtemp(prefix=f"lab-box-{name}-", dir="/var/tmp"))
    try:
        root = work / "root"
        _debootstrap(recipe, root, keyring, log=log, note=note)
        note(f"box {name}: finishing")
        _add_suites(recipe, root, log=log)
        process.run(
            process.as_root([str(_FINISH), str(root)]), log=log, timeout_s=_FINISH_TIMEOUT_S
        )
        recipe.kind.finish(root, log=log)
        note(f"box {name}: packing")
        box = recipe.kind.pack(root, name=name, recipe=recipe.digest, log=log)
        vagrant.add_box(recipe.profile.box, str(box), provider=recipe.provider)
    finally:
        # One file system only: should something still be mounted in there, it is not followed.
        with process.cleaning_up():
            process.run(process.as_root(["rm", "-rf", "--one-file-system", str(work)]), check=False)


def _require(recipe: Recipe) -> Path | None:
    profile = recipe.profile
    if shutil.which("debootstrap", path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
        raise HostError(
            "`debootstrap`, which builds boxes, is not installed",
            hint="sudo apt-get install --no-install-recommends debootstrap",
        )
    # Before the minutes that the rest takes: without these it would be in vain.
    if shutil.which("vagrant") is None:
        raise HostError(
            "`vagrant`, which the box is for, is not installed",
            hint=f"sudo apt-get install --no-install-recommends {_VAGRANTS[recipe.provider]}",
        )
    recipe.kind.require()
    if not process.run(process.as_root(["true"]), check=False).ok:
        raise HostError(
            "A box can only be built as root, and sudo asks for a password",
            hint="Run lab as root, or let your user run sudo without a password (visudo).",
        )
    keyring = recipe.keyring or (Path(profile.keyring) if profile.keyring else None)
    if keyring is not None and not keyring.is_file():
        raise HostError(
            f"The keys of the {profile.distribution} archive are not here: {keyring}",
            details="Without them nobody can tell whether what is downloaded "
            "is what its makers signed.",
            hint=f"Install the package {profile.keyring_package}, or name a keyring file: "
            f"lab box build {profile.name} --keyring FILE. To go on without: --box debian-12.",
        )
    free_gb = shutil.disk_usage("/var/tmp").free / 1e9  # noqa: S108 (asks for its room, and opens nothing there)
    needed_gb = recipe.kind.FREE_GB
    if free_gb < needed_gb:
        raise HostError(
            f"Building a box needs {needed_gb:.0f} GB in /var/tmp, and {free_gb:.1f} GB are free",
            hint="Free some space and run the same command again.",
        )
    return keyring


def _debootstrap(
    recipe: Recipe, root: Path, keyring: Path | None, *, log: Path, note: Callable[[str], None]
) -> None:
    profile = recipe.profile
    phase = ""

    def hear(line: str) -> None:
        nonlocal phase
        words = line.split()
        now = _PHASES.get(words[1], "") if len(words) > 1 and words[0] == "I:" else ""
        if now and now != phase:
            phase = now
            note(f"box {profile.name}: {phase}")

    command = [
        "debootstrap",
        "--variant=minbase",
        f"--components={','.join(profile.components)}",
        f"--include={','.join(profile.packages_for(recipe.provider))}",
        *([f"--keyring={keyring}"] if keyring else []),
        profile.suite,
        str(root),
        *([recipe.mirror] if recipe.mirror else []),
    ]
    process.run(process.as_root(command), log=log, on_line=hear, timeout_s=_DEBOOTSTRAP_TIMEOUT_S)


def _add_suites(recipe: Recipe, root: Path, *, log: Path) -> None:
    """Let the guests install from the release's further suites too.

    They are taken from the archive that debootstrap used.
    """
    if not recipe.profile.more_suites:
        return
    sources = root / "etc/apt/sources.list"
    lines = process.run(process.as_root(["cat", str(sources)])).stdout.splitlines()
    archive = next(line.split()[1] for line in lines if line.startswith("deb "))
    suites = [recipe.profile.suite + suffix for suffix in ("", *recipe.profile.more_suites)]
    text = "".join(
        f"deb {archive} {suite} {' '.join(recipe.profile.components)}\n" for suite in suites
    )
    process.run(process.as_root(["tee", str(sources)]), stdin=text.encode(), log=log)
