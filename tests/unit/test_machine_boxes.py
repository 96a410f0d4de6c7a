"""Boxes of full machines: a debootstrap that only pretends, and disks that are really made."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree

import pytest

from lab.errors import HostError, ProcessError
from lab.machines.boxes import builder, disk, libvirt
from lab.machines.boxes.builder import Recipe, build
from lab.machines.boxes.profiles import PROFILES
from lab.machines.vagrant import Vagrant
from tests.unit.pretend_root import DEBOOTSTRAP

Program = Callable[[str, str], Path]

SECTOR = 512
PARTITION = 2048 * SECTOR
OVF = "{http://schemas.dmtf.org/ovf/envelope/1}"
RASD = "{http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData}"


@dataclass
class Shelf:
    """Takes a box as Vagrant would: its files are in `folder`."""

    folder: Path
    name: str = ""

    def add_box(self, name: str, url: str, *, provider: str) -> None:
        self.name = f"{name} for {provider}"
        with tarfile.open(url) as archive:
            archive.extractall(self.folder, filter="data")

    @property
    def metadata(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads((self.folder / "metadata.json").read_text())
        return read

    def image(self, file: str) -> dict[str, Any]:
        """What qemu-img knows of a disk."""
        words = ["qemu-img", "info", "--output=json", str(self.folder / file)]
        read: dict[str, Any] = json.loads(subprocess.check_output(words))
        return read

    def raw(self, file: str) -> Path:
        """The disk as the machine sees it."""
        raw = self.folder / "raw"
        words = ["qemu-img", "convert", "-O", "raw", str(self.folder / file), str(raw)]
        subprocess.run(words, check=True)
        return raw


@pytest.fixture
def pretend(program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """A debootstrap and a chroot that do nothing much; the tools that make disks are real."""
    program("debootstrap", DEBOOTSTRAP.replace("{here}", shlex.quote(str(tmp_path))))
    program("chroot", "")
    program("sudo", 'shift; exec "$@"')
    (tmp_path / "keyring").touch()
    # Where plain users' paths end, and sudo's do not.
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:/usr/sbin:/sbin")
    real = shutil.which
    monkeypatch.setattr(
        builder.shutil,
        "which",
        lambda name, **more: "/x" if name in {"debootstrap", "vagrant"} else real(name, **more),
    )
    return program


def recipe(tmp_path: Path, provider: str, profile: str = "debian-12") -> Recipe:
    return Recipe(
        profile=PROFILES[profile],
        provider=provider,
        mirror="http://mirror.example.org/archive",
        keyring=tmp_path / "keyring",
    )


def build_it(recipe: Recipe, tmp_path: Path) -> Shelf:
    shelf = Shelf(tmp_path / "box")
    log = tmp_path / "build.log"
    build(recipe, vagrant=cast("Vagrant", shelf), log=log, note=lambda _: None)
    return shelf


def inside(raw: Path, path: str) -> str:
    """A file of the disk's root file system."""
    words = ["debugfs", "-R", f"cat {path}", f"{raw}?offset={PARTITION}"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def target_of(raw: Path, path: str) -> str:
    """Where a symbolic link of the disk's root file system leads."""
    words = ["debugfs", "-R", f"stat {path}", f"{raw}?offset={PARTITION}"]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return said.partition('Fast link dest: "')[2].partition('"')[0]


@pytest.fixture
def libvirt_box(pretend: Program, tmp_path: Path) -> Shelf:
    return build_it(recipe(tmp_path, "libvirt"), tmp_path)


def test_a_box_for_libvirt_is_a_small_disk_that_grows(libvirt_box: Shelf, tmp_path: Path) -> None:
    assert libvirt_box.name == "lab/debian-12 for libvirt"
    assert sorted(path.name for path in libvirt_box.folder.iterdir()) == [
        "box.img",
        "metadata.json",
    ]
    image = libvirt_box.folder / "box.img"
    assert libvirt_box.metadata == {
        "provider": "libvirt",
        "format": "qcow2",
        "virtual_size": 2,
        "lab_recipe": recipe(tmp_path, "libvirt").digest,
        "lab_sha256": {"box.img": hashlib.sha256(image.read_bytes()).hexdigest()},
    }
    known = libvirt_box.image("box.img")
    assert (known["format"], known["virtual-size"]) == ("qcow2", 2 << 30)
    assert known["format-specific"]["data"]["compression-type"] == "zstd"
    assert "backing-filename" not in known
    assert image.stat().st_size < 4_000_000


def test_the_disk_boots_by_itself(libvirt_box: Shelf) -> None:
    with libvirt_box.raw("box.img").open("rb") as disk_file:
        head = disk_file.read(PARTITION)
    entry = head[446:462]
    assert head[510:512] == b"\x55\xaa"
    assert (entry[0], entry[4]) == (0x80, 0x83), "the partition is the one to boot, and Linux's"
    start, size = (int.from_bytes(entry[at : at + 4], "little") for at in (8, 12))
    assert (start, start + size) == (2048, (2 << 30) // SECTOR)
    assert b"GRUB" in head[:440]
    core = Path("/usr/lib/grub/i386-pc/diskboot.img").read_bytes()
    assert head[SECTOR : SECTOR + 16] == core[:16], "GRUB's core comes behind the partition table"


def test_the_root_holds_nothing_that_is_one_machine_s_own(libvirt_box: Shelf) -> None:
    raw = libvirt_box.raw("box.img")
    assert inside(raw, "/etc/machine-id") == ""
    for absent in ("/etc/hostname", "/etc/ssh/ssh_host_rsa_key", "/var/lib/lab/seeded"):
        assert inside(raw, absent) == ""
    assert "PasswordAuthentication no" in inside(raw, "/etc/ssh/sshd_config").splitlines()


def test_the_root_has_what_a_full_machine_needs(libvirt_box: Shelf) -> None:
    raw = libvirt_box.raw("box.img")
    assert inside(raw, "/etc/fstab").startswith("LABEL=root / ext4 rw,")
    assert {"virtio_blk", "ahci", "ext4"} <= set(
        inside(raw, "/etc/initramfs-tools/modules").split()
    )
    grub = inside(raw, "/boot/grub/grub.cfg").splitlines()
    assert grub[1:] == [
        "linux /vmlinuz root=LABEL=root ro quiet net.ifnames=0 console=tty0 console=ttyS0",
        "initrd /initrd.img",
        "boot",
    ]
    assert target_of(raw, "/vmlinuz") == "boot/vmlinuz-1"
    for script in ("seed", "grow"):
        assert inside(raw, f"/usr/local/lib/lab/{script}").startswith("#!/bin/bash\n")
        unit = inside(raw, f"/etc/systemd/system/lab-{script}.service")
        assert f"ExecStart=/usr/local/lib/lab/{script}\n" in unit
    assert target_of(raw, "/etc/systemd/system/apt-daily.timer") == "/dev/null"
    for unit in ("systemd-udevd", "systemd-timesyncd"):
        assert target_of(raw, f"/etc/systemd/system/{unit}.service") == ""
    assert inside(raw, "/etc/systemd/network/05-lab-address.network") == ""


@pytest.mark.usefixtures("pretend")
def test_a_box_for_virtualbox_is_a_disk_and_its_description(tmp_path: Path) -> None:
    shelf = build_it(recipe(tmp_path, "virtualbox"), tmp_path)
    assert shelf.name == "lab/debian-12 for virtualbox"
    assert sorted(path.name for path in shelf.folder.iterdir()) == [
        "Vagrantfile",
        "box-disk001.vmdk",
        "box.ovf",
        "metadata.json",
    ]
    image = shelf.folder / "box-disk001.vmdk"
    assert shelf.metadata == {
        "provider": "virtualbox",
        "lab_recipe": recipe(tmp_path, "virtualbox").digest,
        "lab_sha256": {image.name: hashlib.sha256(image.read_bytes()).hexdigest()},
    }
    known = shelf.image(image.name)
    assert (known["format"], known["virtual-size"]) == ("vmdk", 2 << 30)
    assert known["format-specific"]["data"]["create-type"] == "streamOptimized"
    assert "config.vm.base_mac = '080027" in (shelf.folder / "Vagrantfile").read_text()

    ovf = ElementTree.parse(shelf.folder / "box.ovf").getroot()
    file, listed = ovf.find(f".//{OVF}File"), ovf.find(f".//{OVF}Disk")
    assert file is not None
    assert listed is not None
    assert file.get(f"{OVF}href") == image.name
    assert file.get(f"{OVF}size") == str(image.stat().st_size)
    assert listed.get(f"{OVF}fileRef") == file.get(f"{OVF}id")
    assert listed.get(f"{OVF}capacity") == str(2 << 30)
    assert [kind.text for kind in ovf.iter(f"{RASD}ResourceSubType")] == ["AHCI", "E1000"]

    raw = shelf.raw(image.name)
    assert "console=ttyS0 console=tty0" in inside(raw, "/boot/grub/grub.cfg")
    assert "Name=eth1" in inside(raw, "/etc/systemd/network/05-lab-address.network")


@pytest.mark.usefixtures("pretend")
@pytest.mark.parametrize(
    ("profile", "provider", "kernel"),
    [
        ("debian-12", "libvirt", "linux-image-cloud-amd64"),
        ("debian-11", "virtualbox", "linux-image-amd64"),
        ("ubuntu-18.04", "libvirt", "linux-image-virtual"),
        ("ubuntu-18.04", "virtualbox", "linux-image-generic"),
    ],
)
def test_each_release_has_the_kernel_with_the_provider_s_drivers(
    tmp_path: Path, profile: str, provider: str, kernel: str
) -> None:
    shelf = build_it(recipe(tmp_path, provider, profile), tmp_path)
    asked = (tmp_path / "asked").read_text().splitlines()
    packages = next(it for it in asked if it.startswith("--include=")).partition("=")[2].split(",")
    assert {kernel, "initramfs-tools", "fdisk", "e2fsprogs", "openssh-server"} <= set(packages)
    assert shelf.name == f"lab/{profile} for {provider}"


@pytest.mark.usefixtures("pretend")
def test_a_container_s_box_has_no_kernel(tmp_path: Path) -> None:
    shelf = build_it(recipe(tmp_path, "lxc"), tmp_path)
    assert "linux-image" not in (tmp_path / "asked").read_text()
    with tarfile.open(shelf.folder / "rootfs.tar.gz") as root:
        assert root.getmember("rootfs/etc/systemd/system/systemd-udevd.service").issym()
        assert "rootfs/boot/grub" not in root.getnames()


@pytest.fixture
def _closed_umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.mark.usefixtures("pretend", "_closed_umask")
def test_who_keeps_files_from_others_builds_the_same_container(tmp_path: Path) -> None:
    shelf = build_it(recipe(tmp_path, "lxc"), tmp_path)
    assert (shelf.folder / "rootfs.tar.gz").stat().st_mode & 0o777 == 0o644
    with tarfile.open(shelf.folder / "rootfs.tar.gz") as root:
        modes = {it.name: it.mode for it in root if it.isfile() or it.isdir()}
    closed = [name for name, mode in modes.items() if mode & 0o044 != 0o044]
    assert closed == ["rootfs/etc/sudoers.d/vagrant", "rootfs/home/vagrant"]


@pytest.mark.usefixtures("_closed_umask")
def test_who_keeps_files_from_others_builds_the_same_disk(pretend: Program, tmp_path: Path) -> None:
    del pretend
    shelf = build_it(recipe(tmp_path, "libvirt"), tmp_path)
    assert (shelf.folder / "box.img").stat().st_mode & 0o777 == 0o644
    raw = shelf.raw("box.img")
    for path in ("/etc/fstab", "/etc/hosts", "/etc/udev/rules.d/90-lab-seed.rules"):
        words = ["debugfs", "-R", f"stat {path}", f"{raw}?offset={PARTITION}"]
        said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        assert re.search(r"Mode: +(\d+)", said)[1] == "0644", path


def test_a_kernel_without_its_link_is_told(pretend: Program, tmp_path: Path) -> None:
    script = DEBOOTSTRAP.replace("{here}", shlex.quote(str(tmp_path)))
    pretend("debootstrap", f'{script}\nrm "$root/vmlinuz"')
    with pytest.raises(ProcessError) as caught:
        build_it(recipe(tmp_path, "libvirt"), tmp_path)
    assert caught.value.details == "finish-machine: the kernel's package has left no /vmlinuz"


@pytest.mark.usefixtures("pretend")
def test_what_is_missing_is_named_before_anything_is_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "_BOOT_SECTOR", tmp_path / "nowhere")
    monkeypatch.setattr(
        disk.shutil, "which", lambda name, **_: None if name == "qemu-img" else "/x"
    )
    with pytest.raises(HostError) as caught:
        build_it(recipe(tmp_path, "libvirt"), tmp_path)
    assert caught.value.message.endswith("is not installed: qemu-utils, grub-pc-bin")
    assert caught.value.hint == (
        "sudo apt-get install --no-install-recommends qemu-utils grub-pc-bin"
    )
    assert not (tmp_path / "asked").exists()


def test_a_disk_of_a_bake_is_packed_the_same_way(tmp_path: Path) -> None:
    folder = tmp_path / "box"
    folder.mkdir()
    (folder / libvirt.IMAGE).write_bytes(b"disk")
    box = libvirt.write_box(folder, recipe="c0ffee", virtual_size_gb=8)
    with tarfile.open(box) as archive:
        assert sorted(archive.getnames()) == [".", "./box.img", "./metadata.json"]
    assert json.loads((folder / "metadata.json").read_text()) == {
        "provider": "libvirt",
        "format": "qcow2",
        "virtual_size": 8,
        "lab_recipe": "c0ffee",
        "lab_sha256": {"box.img": hashlib.sha256(b"disk").hexdigest()},
    }


@pytest.mark.parametrize(
    ("provider", "packages"),
    [
        ("lxc", "vagrant vagrant-lxc"),
        ("libvirt", "vagrant vagrant-libvirt"),
        ("virtualbox", "vagrant"),
    ],
)
def test_where_vagrant_is_missing_its_packages_are_those_of_the_provider(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: str, packages: str
) -> None:
    there = {"debootstrap": "/usr/sbin/debootstrap"}
    monkeypatch.setattr(builder.shutil, "which", lambda name, **_: there.get(name))
    with pytest.raises(HostError) as caught:
        build_it(recipe(tmp_path, provider), tmp_path)
    assert caught.value.hint == f"sudo apt-get install --no-install-recommends {packages}"
