"""The scripts of an LXC box: how a clone is made of it, and what the clone is given before it boots."""

from __future__ import annotations

import os
import subprocess
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab.machines.boxes.lxc import CONFIG, SEED, TEMPLATE

Program = Callable[[str, str], Path]


@pytest.fixture
def box(tmp_path: Path) -> Path:
    """A box's folder, with a root of one file."""
    folder = tmp_path / "box"
    root = tmp_path / "made" / "rootfs"
    (root / "etc").mkdir(parents=True)
    (root / "etc" / "passwd").write_text(
        "root:x:0:0:root:/root:/bin/bash\n"
        f"vagrant:x:{os.getuid()}:{os.getgid()}::/home/vagrant:/bin/bash\n"
    )
    folder.mkdir()
    with tarfile.open(folder / "rootfs.tar.gz", "w:gz") as archive:
        archive.add(root, arcname="rootfs")
    (folder / "root-id").write_text("debian-12-c0ffee\n")
    (folder / "lxc-config").write_text(CONFIG.read_text())
    return folder


def clone(box: Path, name: str) -> Path:
    """A clone, as vagrant-lxc has it made."""
    path = box.parent / "lxc" / name
    (path / "rootfs").mkdir(parents=True)
    subprocess.run(
        [
            *("bash", str(TEMPLATE), f"--name={name}", f"--path={path}", f"--rootfs={path}/rootfs"),
            *("--config", str(box / "lxc-config"), "--tarball", str(box / "rootfs.tar.gz")),
        ],
        check=True,
    )
    return path


def setting(path: Path, key: str) -> list[str]:
    lines = (path / "config").read_text().splitlines()
    return [line.split(" = ", 1)[1] for line in lines if line.startswith(f"{key} = ")]


def test_clones_share_one_root(box: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(lambda number: clone(box, f"lab-{number}"), range(4)))
    roots = box.parent / "lxc" / ".lab-roots"
    assert sorted(path.name for path in roots.iterdir()) == ["debian-12-c0ffee", "lock"]
    for path in paths:
        assert setting(path, "lxc.rootfs.path") == [
            f"overlay:{roots}/debian-12-c0ffee:{path}/delta"
        ]
        assert setting(path, "lxc.uts.name") == [path.name]
        assert sorted(entry.name for entry in path.iterdir()) == ["config", "delta"]
        assert (path / "config").read_text().startswith(CONFIG.read_text())
    addresses = [setting(path, "lxc.net.0.hwaddr")[0] for path in paths]
    assert len(set(addresses)) == 4
    assert all(address.startswith("00:16:3e:") for address in addresses)


def test_a_root_that_was_cut_off_is_unpacked_anew(box: Path) -> None:
    part = box.parent / "lxc" / ".lab-roots" / "debian-12-c0ffee.part"
    (part / "half").mkdir(parents=True)
    clone(box, "lab-a")
    root = part.with_suffix("")
    assert [path.name for path in root.iterdir()] == ["etc"]
    assert not part.exists()


def test_a_template_without_its_words_says_so(box: Path) -> None:
    done = subprocess.run(
        ["bash", str(TEMPLATE), "--name=x"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "--tarball are needed" in done.stderr


@pytest.fixture
def seed(
    box: Path, tmp_path: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Path]:
    """Seeds the clone `lab-ana`, and returns the folder that lies over its root."""
    # Only root may give files away.
    program(
        "install",
        """words=''; skip=''
for word; do
    if [ -n "$skip" ]; then skip=''; continue; fi
    case $word in -o|-g) skip=1 ;; *) words="$words '$word'" ;; esac
done
eval "exec /usr/bin/install $words" """,
    )
    path = clone(box, "lab-ana")
    keys = tmp_path / "keys"
    keys.mkdir()
    for name in ("admin.pub", "host", "host.pub"):
        (keys / name).write_text(f"{name}\n")
    (keys / "hostname").write_text("hello-ana\n")
    monkeypatch.setenv("LXC_CONFIG_FILE", str(path / "config"))
    monkeypatch.setenv("LXC_ROOTFS_PATH", setting(path, "lxc.rootfs.path")[0])

    def run() -> Path:
        words = ["bash", str(SEED), str(keys), "lab-ana", "lxc", "pre-start"]
        subprocess.run(words, check=True)
        return path / "delta"

    return run


def contents(folder: Path) -> dict[str, tuple[str, int]]:
    """Every file's text and mode, by its path in `folder`."""
    return {
        str(path.relative_to(folder)): (path.read_text(), path.stat().st_mode & 0o777)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_clone_is_given_its_name_its_host_key_and_its_door(seed: Callable[[], Path]) -> None:
    assert contents(seed()) == {
        "etc/hostname": ("hello-ana\n", 0o644),
        "etc/hosts": (
            "127.0.0.1 localhost\n127.0.1.1 hello-ana\n::1 localhost ip6-localhost ip6-loopback\n",
            0o644,
        ),
        "etc/ssh/ssh_host_ed25519_key": ("host\n", 0o600),
        "etc/ssh/ssh_host_ed25519_key.pub": ("host.pub\n", 0o644),
        "home/vagrant/.ssh/authorized_keys": ("admin.pub\n", 0o600),
    }


def test_a_clone_is_seeded_only_once(seed: Callable[[], Path], tmp_path: Path) -> None:
    delta = seed()
    target = tmp_path / "host-file"
    target.write_text("the host's\n")
    # What a student who has become root could have laid out for root on the host.
    (delta / "etc" / "hostname").unlink()
    (delta / "etc" / "hostname").symlink_to(target)
    identity = (delta.parent / "seeded").read_text()
    seed()
    assert target.read_text() == "the host's\n"
    assert (delta.parent / "seeded").read_text() == identity


def test_a_clone_that_is_made_anew_is_another(seed: Callable[[], Path]) -> None:
    mark = seed().parent / "seeded"
    first = mark.read_text()
    mark.unlink()
    seed()
    assert [len(text.split()) for text in (first, mark.read_text())] == [1, 1]
    assert mark.read_text() != first


@pytest.mark.parametrize("kind", ["overlay:", ""])
def test_lxc_may_name_the_root_with_or_without_its_kind(
    seed: Callable[[], Path], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    path = os.environ["LXC_ROOTFS_PATH"].removeprefix("overlay:")
    monkeypatch.setenv("LXC_ROOTFS_PATH", f"{kind}{path}")
    assert (seed() / "etc" / "hostname").read_text() == "hello-ana\n"
