"""A VirtualBox box of Debian 11, really built, and booted by QEMU with the devices that VirtualBox gives a machine.

What is not shown here is in the tests of libvirt: its boxes, booted by Vagrant.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.machines.boxes.catalog import Box, find
from lab.machines.boxes.checksums import verify_box
from lab.machines.boxes.seed_disc import write_seed_disc
from lab.machines.keys import ensure_keys

REPOSITORY = Path(__file__).parents[2]
HOSTNAME = "hello-ana"
ADDRESS = "192.168.56.7/21"
BOOT_S = 600


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Box:
    """The box, as Vagrant has taken it, in a home of its own."""
    home = tmp_path_factory.mktemp("vagrant")
    done = subprocess.run(
        [sys.executable, "-m", "lab", "box", "build", "debian-11", "--provider", "virtualbox"],
        cwd=home,
        env={**os.environ, "VAGRANT_HOME": str(home), "PYTHONPATH": str(REPOSITORY)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = find("lab/debian-11", provider="virtualbox", home=home)
    assert found is not None
    return found


class Booted:
    """A machine that QEMU emulates, with its disk and its seed disc where VirtualBox has them."""

    def __init__(self, box: Box, folder: Path) -> None:
        self.keys = folder / "keys"
        disk, seed = folder / "disk.qcow2", folder / "seed.iso"
        ensure_keys(self.keys, hostname=HOSTNAME)
        (self.keys / "address").write_text(f"{ADDRESS}\n")
        write_seed_disc(seed, keys=self.keys)
        image = box.folder / "box-disk001.vmdk"
        subprocess.run(["qemu-img", "convert", "-O", "qcow2", image, disk], check=True)
        subprocess.run(["qemu-img", "resize", "-q", disk, "4G"], check=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        host = (self.keys / "host.pub").read_text().split()
        self.known = folder / "known_hosts"
        self.known.write_text(f"[127.0.0.1]:{self.port} {host[0]} {host[1]}\n")
        self.process = subprocess.Popen(
            [
                *("qemu-system-x86_64", "-accel", "tcg,tb-size=128", "-m", "512"),
                *("-display", "none", "-device", "ahci,id=ahci"),
                *("-drive", f"file={disk},if=none,id=disk"),
                *("-device", "ide-hd,drive=disk,bus=ahci.0"),
                *("-drive", f"file={seed},if=none,id=seed,media=cdrom,readonly=on"),
                *("-device", "ide-cd,drive=seed,bus=ahci.1"),
                *("-nic", f"user,model=e1000,hostfwd=tcp:127.0.0.1:{self.port}-:22"),
                *("-nic", "user,model=e1000,restrict=on"),
            ]
        )

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a command as user vagrant; only the host key that lab made is taken."""
        return subprocess.run(
            [
                *("ssh", "-F", "none", "-p", str(self.port), "-i", str(self.keys / "admin")),
                *("-o", f"UserKnownHostsFile={self.known}", "-o", "StrictHostKeyChecking=yes"),
                *("-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "vagrant@127.0.0.1", command),
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def said(self, command: str) -> str:
        done = self.run(command)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout.strip()

    def wait(self) -> None:
        deadline = time.monotonic() + BOOT_S
        while (done := self.run("true")).returncode != 0:
            assert time.monotonic() < deadline, f"it did not let lab in: {done.stderr}"
            assert self.process.poll() is None, "QEMU has ended"
            time.sleep(1)


@pytest.fixture(scope="module")
def machine(box: Box, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Booted]:
    if shutil.which("qemu-system-x86_64") is None:
        pytest.skip("there is no qemu-system-x86_64 on this host")
    booted = Booted(box, tmp_path_factory.mktemp("machine"))
    try:
        booted.wait()
        yield booted
    finally:
        booted.process.kill()
        booted.process.wait()


def test_vagrant_takes_the_box_whole(box: Box) -> None:
    assert sorted(path.name for path in box.folder.iterdir() if path.is_file()) == [
        *("Vagrantfile", "box-disk001.vmdk", "box.ovf", "metadata.json"),
    ]
    verify_box(box)


def test_the_machine_has_what_is_its_own(machine: Booted) -> None:
    assert machine.said("hostname") == HOSTNAME
    assert machine.said("cat /etc/hosts").splitlines()[1] == f"127.0.1.1 {HOSTNAME}"
    assert len(machine.said("cat /etc/machine-id")) == 32
    assert f"inet {ADDRESS} " in machine.said("ip -4 address show eth1")
    assert "nobody" in machine.said("sudo -u nobody head -c 1 /dev/sr0 || echo nobody")
    assert machine.said("ls /var/lib/lab") == "grown\nseeded"


def test_nobody_gets_in_by_a_password(machine: Booted) -> None:
    settings = machine.said("sudo /usr/sbin/sshd -T").splitlines()
    assert "passwordauthentication no" in settings
    assert "permitrootlogin no" in settings
    assert machine.said("sudo cut -d: -f2 /etc/shadow | grep -v '^[!*]' | wc -l") == "0"


def test_the_machine_is_well_and_has_its_whole_disk(machine: Booted) -> None:
    assert machine.said("systemctl is-system-running --wait") == "running"
    size_gb = int(machine.said("df --output=size -B1 / | tail -1")) / 1e9
    assert 3.8 < size_gb < 4.3
