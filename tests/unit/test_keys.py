"""Keys of lab's own: made once, closed to others, and none of them Vagrant's well-known one."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from lab.errors import HostError
from lab.machines.keys import MachineKeys, ensure_keys, fingerprint, read_keys, write_ports

needs_ssh_keygen = pytest.mark.skipif(
    shutil.which("ssh-keygen") is None, reason="there is no ssh-keygen on this host"
)


@needs_ssh_keygen
def test_keys_are_made_once(tmp_path: Path) -> None:
    folder = tmp_path / "ssh" / "hello-ana"
    keys = ensure_keys(folder, hostname="hello-ana")
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert sorted(files) == [
        *("admin", "admin.pub", "host", "host.pub"),
        *("hostname", "student", "student.pub"),
    ]
    assert files["hostname"] == b"hello-ana\n"
    assert keys == MachineKeys(
        folder=folder,
        student_public=files["student.pub"].decode().strip(),
        host_public=files["host.pub"].decode().strip(),
    )
    assert keys.student_public.startswith("ssh-ed25519 AAAA")
    assert keys.student_public.endswith(" hello-ana (student)")
    assert len({files["admin.pub"][:80], files["host.pub"][:80], files["student.pub"][:80]}) == 3
    assert ensure_keys(folder, hostname="hello-ana") == keys
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == files


@needs_ssh_keygen
def test_private_keys_are_closed_to_others(tmp_path: Path) -> None:
    keys = ensure_keys(tmp_path / "ana", hostname="ana")
    assert keys.folder.stat().st_mode & 0o777 == 0o700
    for private in (keys.admin, keys.student, keys.folder / "host"):
        assert private.stat().st_mode & 0o777 == 0o600
        assert private.read_text().startswith("-----BEGIN OPENSSH PRIVATE KEY-----")


@needs_ssh_keygen
def test_a_key_that_was_only_half_made_is_made_anew(tmp_path: Path) -> None:
    before = ensure_keys(tmp_path / "ana", hostname="ana")
    (tmp_path / "ana" / "student.pub").unlink()
    (tmp_path / "ana" / "student").write_text("cut o")
    after = ensure_keys(tmp_path / "ana", hostname="ana")
    assert after.host_public == before.host_public
    assert after.student_public.startswith("ssh-ed25519 ")
    assert after.student_public != before.student_public


@needs_ssh_keygen
@pytest.mark.parametrize("kind", ["admin", "host", "student"])
def test_a_private_key_that_was_lost_is_made_anew(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "ana"
    ensure_keys(folder, hostname="ana")
    before = (folder / f"{kind}.pub").read_text()
    (folder / kind).unlink()
    ensure_keys(folder, hostname="ana")
    assert (folder / kind).exists()
    assert (folder / f"{kind}.pub").read_text() != before


def test_without_ssh_keygen_the_host_lacks_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    with pytest.raises(HostError, match="`ssh-keygen` is not installed"):
        ensure_keys(tmp_path / "ana", hostname="ana")


def test_keys_that_are_not_made_yet_are_empty(tmp_path: Path) -> None:
    keys = read_keys(tmp_path / "ana")
    assert (keys.student_public, keys.host_public) == ("", "")
    assert not keys.folder.exists()


@needs_ssh_keygen
def test_ports_are_noted_beside_the_keys(tmp_path: Path) -> None:
    assert read_keys(tmp_path).ports == {}
    write_ports(tmp_path, {80: 28001, 22: 22001})
    assert (tmp_path / "ports").read_text() == "22 22001\n80 28001\n"
    assert read_keys(tmp_path).ports == {22: 22001, 80: 28001}
    (tmp_path / "ports").write_text("22 22001\n80 2x\n")
    assert read_keys(tmp_path).ports == {22: 22001}
    write_ports(tmp_path, {})
    assert not (tmp_path / "ports").exists()


def test_a_fingerprint_is_as_ssh_shows_it(tmp_path: Path) -> None:
    keys = ensure_keys(tmp_path / "ana", hostname="ana")
    shown = subprocess.run(
        ["ssh-keygen", "-lf", keys.folder / "host.pub"], capture_output=True, text=True, check=True
    )
    assert shown.stdout.split()[1] == fingerprint(keys.host_public)
