"""LXC without Vagrant and without lab: the limit of how fast clones can boot; and the plain side's box."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lab.machines.boxes.lxc import CONFIG
from lab.machines.providers.lxc import Lxc

LXC = Path("/var/lib/lxc")
VAGRANT_KEY = "keys/vagrant.pub"


@contextlib.contextmanager
def plain_box(folder: Path, box: str) -> Iterator[None]:
    """A box `bench/plain` as one would download it: the same system as lab's box, with Vagrant's well-known key.

    Its machines are clones of one root too, so the plain side is not held up by unpacking.
    """
    lab_box = next(Path.home().glob(f".vagrant.d/boxes/lab-VAGRANTSLASH-{box}/*/lxc"))
    folder.mkdir()
    for file in lab_box.iterdir():
        shutil.copy(file, folder)
    root = LXC / ".lab-roots/bench-plain"
    shutil.rmtree(root, ignore_errors=True)
    command(
        "cp", "-a", str(LXC / ".lab-roots" / (folder / "root-id").read_text().strip()), str(root)
    )
    (folder / "root-id").write_text("bench-plain\n")
    (folder / "rootfs.tar.gz").write_bytes(b"")
    key = next(
        Path("/usr/share").glob(f"rubygems-integration/all/gems/vagrant-[0-9]*/{VAGRANT_KEY}")
    )
    ssh = root / "home/vagrant/.ssh"
    command("install", "-d", "-o", "900", "-g", "900", "-m", "0700", str(ssh))
    command(
        "install", "-o", "900", "-g", "900", "-m", "0600", str(key), str(ssh / "authorized_keys")
    )
    command("ssh-keygen", "-A", "-f", str(root))
    command(
        "tar",
        "--create",
        "--file",
        str(folder / "plain.box"),
        "-C",
        str(folder),
        "--exclude=plain.box",
        ".",
    )
    command("vagrant", "box", "add", "--force", "bench/plain", str(folder / "plain.box"))
    try:
        yield
    finally:
        command("vagrant", "box", "remove", "--force", "bench/plain")
        command("rm", "-rf", "--one-file-system", str(root))


@contextlib.contextmanager
def finished_root(container: str) -> Iterator[Path]:
    """A root with everything that a running machine of lab's has, its steps done and its app set up."""
    root = LXC / ".lab-roots/bench-finished"
    command("lxc-stop", "--name", container)
    overlay = next(
        line.partition("overlay:")[2]
        for line in (LXC / container / "config").read_text().splitlines()
        if line.startswith("lxc.rootfs.path = overlay:")
    )
    lower, upper = overlay.split(":")
    merged = LXC / ".lab-roots/bench-merged"
    merged.mkdir()
    command("mount", "-t", "overlay", "overlay", "-o", f"ro,lowerdir={upper}:{lower}", str(merged))
    try:
        command("cp", "-a", str(merged), str(root))
    finally:
        command("umount", str(merged))
        merged.rmdir()
    (root / "etc/machine-id").write_text("")
    try:
        yield root
    finally:
        command("rm", "-rf", "--one-file-system", str(root))


@dataclass(frozen=True)
class Clones:
    """Overlay clones of one root, not yet started."""

    addresses: Mapping[str, str]

    def start(self) -> None:
        """Start them all, two at a time."""
        with ThreadPoolExecutor(2) as pool:
            list(
                pool.map(
                    lambda name: command("lxc-start", "--daemon", "--name", name), self.addresses
                )
            )


@contextlib.contextmanager
def clones(root: Path, count: int) -> Iterator[Clones]:
    """So many overlay clones of a root, gone when the block ends."""
    names = [f"benchraw-{number:02}" for number in range(count)]
    # As lab's own machines have them, so that nobody waits for DHCP here either.
    given = Lxc().allot_addresses(names)
    for name in names:
        folder = LXC / name
        (folder / "delta").mkdir(parents=True)
        (folder / "config").write_text(
            f"{CONFIG.read_text()}lxc.rootfs.path = overlay:{root}:{folder}/delta\n"
            f"lxc.net.0.ipv4.address = {given.of[name]}\nlxc.net.0.ipv4.gateway = auto\n"
            f"lxc.uts.name = {name}\n"
        )
    try:
        yield Clones({name: at.partition("/")[0] for name, at in given.of.items()})
    finally:
        for name in names:
            command("lxc-destroy", "--force", "--name", name)


def address_of(container: str) -> str:
    """A running container's address.

    Raises:
        RuntimeError: it has none.
    """
    return command("lxc-info", "-iH", "--name", container).split()[0]


def command(*argv: str) -> str:
    """Run a command, and return what it printed.

    Raises:
        RuntimeError: it failed.
    """
    completed = subprocess.run(argv, capture_output=True, text=True, check=False)
    if completed.returncode:
        raise RuntimeError(f"{argv}: {completed.stderr[-2000:]}")
    return completed.stdout
