"""Building a box: with a debootstrap that only pretends, and everything after it for real."""

from __future__ import annotations

import hashlib
import json
import shlex
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from lab.errors import HOST, HostError, ProcessError
from lab.machines.boxes import builder, lxc
from lab.machines.boxes.builder import Recipe, build, built, recipe_for
from lab.machines.boxes.profiles import PROFILES, Profile
from lab.machines.vagrant import Vagrant
from tests.unit.pretend_root import DEBOOTSTRAP

Program = Callable[[str, str], Path]


class Shelf:
    """Takes boxes as Vagrant would, and looks into them."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.names: list[tuple[str, str]] = []
        self.box: Path | None = None
        self.checksum = ""

    def add_box(self, name: str, url: str, *, provider: str) -> None:
        self.names.append((name, provider))
        self.box = Path(url)
        with tarfile.open(url) as archive:
            self._read(archive)
            member = archive.extractfile("./rootfs.tar.gz")
            assert member is not None
            self.checksum = hashlib.sha256(member.read()).hexdigest()
            member.seek(0)
            with tarfile.open(fileobj=member) as root:
                self._read(root)

    def _read(self, archive: tarfile.TarFile) -> None:
        for entry in archive:
            file = archive.extractfile(entry) if entry.isfile() else None
            text = file.read().decode(errors="replace") if file else f"-> {entry.linkname}"
            self.texts[entry.name.removeprefix("./")] = text


@pytest.fixture
def tools(program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """What building needs, with a root that is made of nothing; `keyring` is a file in tmp_path."""
    program("debootstrap", DEBOOTSTRAP.replace("{here}", shlex.quote(str(tmp_path))))
    program("chroot", "")
    program("sudo", 'shift; exec "$@"')
    (tmp_path / "keyring").touch()
    monkeypatch.setattr(builder.shutil, "which", lambda *_, **__: "/usr/sbin/debootstrap")
    return program


def recipe(tmp_path: Path, name: str = "debian-12", **changes: object) -> Recipe:
    given = {"mirror": "http://mirror.example.org/archive", "keyring": tmp_path / "keyring"}
    return replace(Recipe(provider="lxc", profile=PROFILES[name]), **(given | changes))  # type: ignore[arg-type]


def build_it(recipe: Recipe, tmp_path: Path) -> tuple[Shelf, list[str]]:
    shelf, notes = Shelf(), list[str]()
    build(recipe, vagrant=cast("Vagrant", shelf), log=tmp_path / "build.log", note=notes.append)
    return shelf, notes


@pytest.mark.usefixtures("tools")
def test_a_box_is_built(tmp_path: Path) -> None:
    wanted = recipe(tmp_path)
    shelf, notes = build_it(wanted, tmp_path)
    assert shelf.names == [("lab/debian-12", "lxc")]
    assert json.loads(shelf.texts["metadata.json"]) == {
        "provider": "lxc",
        "version": "1.0.0",
        "lab_recipe": wanted.digest,
        "lab_sha256": {"rootfs.tar.gz": shelf.checksum},
    }
    assert shelf.texts["lxc-config"] == lxc.CONFIG.read_text()
    assert shelf.texts["lxc-template"] == lxc.TEMPLATE.read_text()
    assert shelf.texts["root-id"] == f"debian-12-{shelf.checksum[:16]}\n"
    assert notes == [
        f"box debian-12: {phase}"
        for phase in ("downloading packages", "unpacking", "configuring", "finishing", "packing")
    ]
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked[0] == "--variant=minbase"
    assert asked[1] == "--components=main"
    assert "openssh-server" in asked[2].removeprefix("--include=").split(",")
    assert asked[3] == f"--keyring={tmp_path / 'keyring'}"
    assert asked[4] == "bookworm"
    assert asked[6] == "http://mirror.example.org/archive"
    assert shelf.box is not None
    assert not shelf.box.parent.exists()


@pytest.mark.usefixtures("tools")
def test_what_is_one_machine_s_own_is_not_in_the_box(tmp_path: Path) -> None:
    texts = build_it(recipe(tmp_path), tmp_path)[0].texts
    assert texts["rootfs/etc/machine-id"] == ""
    for absent in (
        "etc/hostname",
        "etc/ssh/ssh_host_rsa_key",
        "usr/share/doc/sed/changelog",
        "usr/local/lib/lab",
        "var/lib/apt/lists/x",
    ):
        assert f"rootfs/{absent}" not in texts
    assert "rootfs/usr/share/doc/sed/copyright" in texts


@pytest.mark.usefixtures("tools")
def test_the_box_lets_nobody_in_by_a_password(tmp_path: Path) -> None:
    texts = build_it(recipe(tmp_path), tmp_path)[0].texts
    lines = texts["rootfs/etc/ssh/sshd_config"].splitlines()
    assert "PasswordAuthentication no" in lines
    assert "PermitRootLogin no" in lines
    assert lines[-1] == "Port 22"
    assert texts["rootfs/etc/sudoers.d/vagrant"] == "vagrant ALL=(ALL) NOPASSWD: ALL\n"
    assert texts["rootfs/etc/systemd/system/apt-daily.timer"] == "-> /dev/null"


@pytest.mark.usefixtures("tools")
def test_the_ubuntu_box_takes_its_updates_from_the_same_archive(tmp_path: Path) -> None:
    shelf, _ = build_it(recipe(tmp_path, "ubuntu-18.04"), tmp_path)
    assert shelf.texts["rootfs/etc/apt/sources.list"] == "".join(
        f"deb http://mirror.example.org/archive bionic{suffix} main universe\n"
        for suffix in ("", "-updates", "-security")
    )
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked[1] == "--components=main,universe"
    assert asked[4] == "bionic"


def test_an_archive_out_of_reach_leaves_nothing_behind(
    tools: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []
    make = tempfile.mkdtemp

    def remembered(**words: str) -> str:
        made.append(Path(make(**words)))
        return str(made[-1])

    # Others may build boxes there at the same time.
    monkeypatch.setattr(builder.tempfile, "mkdtemp", remembered)
    tools("debootstrap", "echo 'E: Failed getting release file' >&2; exit 1")
    with pytest.raises(ProcessError) as caught:
        build_it(recipe(tmp_path), tmp_path)
    assert caught.value.details == "E: Failed getting release file"
    assert caught.value.log == tmp_path / "build.log"
    assert [(path.name[:8], path.exists()) for path in made] == [("lab-box-", False)]


@pytest.mark.usefixtures("tools")
def test_signatures_are_never_skipped(tmp_path: Path) -> None:
    with pytest.raises(HostError) as caught:
        build_it(recipe(tmp_path, "ubuntu-18.04", keyring=tmp_path / "none.gpg"), tmp_path)
    error = caught.value
    assert error.exit_code == HOST
    assert str(tmp_path / "none.gpg") in error.message
    assert "ubuntu-keyring" in error.hint
    assert "--keyring FILE" in error.hint
    assert not (tmp_path / "asked").exists()


def test_without_debootstrap_the_host_lacks_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builder.shutil, "which", lambda *_, **__: None)
    with pytest.raises(HostError, match="debootstrap") as caught:
        build_it(recipe(tmp_path), tmp_path)
    assert caught.value.hint.startswith("sudo apt-get install ")


@pytest.mark.usefixtures("tools")
def test_a_full_disk_is_told_before_anything_is_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage:
        free = 1_900_000_000

    monkeypatch.setattr(builder.shutil, "disk_usage", lambda _: Usage)
    with pytest.raises(HostError, match=r"needs 2 GB in /var/tmp, and 1\.9 GB are free"):
        build_it(recipe(tmp_path), tmp_path)
    assert not (tmp_path / "asked").exists()


def test_a_recipe_is_what_goes_into_the_box(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "finish-root"
    script.write_text("one")
    monkeypatch.setattr(builder, "_FINISH", script)
    profile: Profile = PROFILES["debian-12"]
    one = Recipe(provider="lxc", profile=profile).digest
    assert len(one) == 16
    assert Recipe(provider="lxc", profile=profile).digest == one
    others = [
        Recipe(provider="lxc", profile=profile, mirror="http://mirror.example.org").digest,
        Recipe(provider="lxc", profile=PROFILES["debian-11"]).digest,
        Recipe(provider="lxc", profile=replace(profile, packages=())).digest,
        Recipe(provider="libvirt", profile=profile).digest,
        Recipe(provider="virtualbox", profile=profile).digest,
    ]
    script.write_text("two")
    others.append(Recipe(provider="lxc", profile=profile).digest)
    assert len({one, *others}) == 7


def test_a_mirror_that_is_named_goes_before_the_host_s(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "host_mirror", lambda name: f"http://{name}.example.org")
    profile = PROFILES["debian-12"]
    assert recipe_for(profile, provider="lxc").mirror == "http://debian.example.org"
    assert (
        recipe_for(profile, provider="lxc", mirror="http://m.example.org").mirror
        == "http://m.example.org"
    )


def test_the_same_recipe_is_not_built_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VAGRANT_HOME", str(tmp_path))
    wanted = recipe(tmp_path)
    assert not built(wanted)
    folder = tmp_path / "boxes/lab-VAGRANTSLASH-debian-12/0/lxc"
    folder.mkdir(parents=True)
    for digest, same in ((wanted.digest, True), ("another", False)):
        (folder / "metadata.json").write_text(json.dumps({"lab_recipe": digest}))
        assert built(wanted) is same
