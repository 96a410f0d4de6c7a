"""The disc that a full machine takes what is its own from, read back as the machine would."""

from __future__ import annotations

import io
import stat
from pathlib import Path

import pycdlib
import pytest
import yaml

from lab.machines.boxes.seed_disc import write_seed_disc

TEXTS = {
    "hostname": "hello-ana\n",
    "host": "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\nBBBB\n-----END OPENSSH PRIVATE KEY-----\n",
    "host.pub": "ssh-ed25519 AAAAhost hello-ana (host)\n",
    "admin.pub": "ssh-ed25519 AAAAadmin hello-ana (admin)\n",
}


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A machine's folder, with private keys that are nobody else's business."""
    folder = tmp_path / "keys"
    folder.mkdir()
    for name, text in {**TEXTS, "admin": "secret\n", "student": "secret\n"}.items():
        (folder / name).write_text(text)
    return folder


def read_back(path: Path, *, by: str = "rr_path") -> tuple[str, dict[str, str]]:
    """The disc's label, and its files by name."""
    disc = pycdlib.PyCdlib()
    disc.open(str(path))
    texts = {}
    for child in disc.list_children(**{by: "/"}):
        name = (
            child.rock_ridge.name().decode()
            if by == "rr_path" and child.rock_ridge
            else child.file_identifier().decode("utf-16-be")
        )
        if child.is_dir():
            continue
        data = io.BytesIO()
        disc.get_file_from_iso_fp(data, **{by: f"/{name}"})
        texts[name] = data.getvalue().decode()
    label = disc.pvd.volume_identifier.decode().strip()
    disc.close()
    return label, texts


def test_the_plain_files_are_what_is_the_machine_s_own(keys: Path, tmp_path: Path) -> None:
    path = tmp_path / "seed.iso"
    write_seed_disc(path, keys=keys)
    label, texts = read_back(path)
    assert label == "cidata"
    assert sorted(texts) == [
        *("admin.pub", "host", "host.pub", "hostname"),
        *("meta-data", "user-data"),
    ]
    assert {name: texts[name] for name in TEXTS} == TEXTS
    assert read_back(path, by="joliet_path") == (label, texts)
    assert b"secret" not in path.read_bytes(), "nobody's way in is on the disc"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_cloud_init_is_told_the_same(keys: Path, tmp_path: Path) -> None:
    path = tmp_path / "seed.iso"
    write_seed_disc(path, keys=keys)
    texts = read_back(path)[1]
    assert yaml.safe_load(texts["meta-data"]) == {
        "instance-id": "hello-ana",
        "local-hostname": "hello-ana",
    }
    assert texts["user-data"].startswith("#cloud-config\n")
    assert yaml.safe_load(texts["user-data"]) == {
        "hostname": "hello-ana",
        "preserve_hostname": False,
        "manage_etc_hosts": True,
        "ssh_deletekeys": True,
        "ssh_genkeytypes": [],
        "ssh_keys": {
            "ed25519_private": TEXTS["host"],
            "ed25519_public": TEXTS["host.pub"].strip(),
        },
        "disable_root": True,
        "ssh_pwauth": False,
        "users": [
            {
                "name": "vagrant",
                "lock_passwd": True,
                "shell": "/bin/bash",
                "sudo": "ALL=(ALL) NOPASSWD:ALL",
                "ssh_authorized_keys": [TEXTS["admin.pub"].strip()],
            }
        ],
    }


def test_an_address_that_is_known_is_on_it(keys: Path, tmp_path: Path) -> None:
    (keys / "address").write_text("192.168.56.7/21\n")
    (keys / "resolv.conf").write_text("nameserver 192.168.56.1\n")
    path = tmp_path / "seed.iso"
    write_seed_disc(path, keys=keys)
    texts = read_back(path)[1]
    assert texts["address"] == "192.168.56.7/21\n"
    assert texts["resolv.conf"] == "nameserver 192.168.56.1\n"


def test_without_its_keys_there_is_no_disc(keys: Path, tmp_path: Path) -> None:
    (keys / "host").unlink()
    with pytest.raises(FileNotFoundError):
        write_seed_disc(tmp_path / "seed.iso", keys=keys)
    assert not (tmp_path / "seed.iso").exists()
