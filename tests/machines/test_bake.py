"""A bake on real machines: shared steps once, nothing of a student in it, and kept while it is used."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.machines.conftest import BOX, ClassFolder

# A name of its own: bakes of an earlier run that was killed are none of these tests' business.
GUIDE = f"baked-{secrets.token_hex(3)}"
LABS_YAML = f"""\
defaults: {{box: {BOX}, domain: example.org}}
labs: {{{GUIDE}: {{students: [ana, luis]}}}}
"""
GUIDE_YAML = f"""\
name: {GUIDE}
title: {{en: Baked}}
steps:
  - {{name: shared, scope: class, title: {{en: Shared}}}}
  - {{name: own, scope: student, title: {{en: Own}}}}
"""


@pytest.fixture(scope="module")
def baked(new_class: Callable[[str, str], ClassFolder]) -> ClassFolder:
    folder = new_class("baked", LABS_YAML)
    steps = folder.path / "provision" / GUIDE / "steps"
    steps.mkdir(parents=True)
    (steps.parent / "guide.yaml").write_text(GUIDE_YAML)
    (steps / "shared.sh").write_text("date +%s%N >/srv/shared\n")
    (steps / "own.sh").write_text('echo "$LAB_LOGIN" >/srv/own\n')
    folder.lab("up")
    return folder


def bakes(folder: ClassFolder) -> set[str]:
    names = {row["name"] for row in folder.json("box", "list")["boxes"]}
    return {name for name in names if name.startswith(f"lab-bake/{GUIDE}-")}


def root_of(folder: ClassFolder) -> Path:
    (name,) = bakes(folder)
    lxcpath = subprocess.run(
        ["lxc-config", "lxc.lxcpath"], capture_output=True, text=True, check=True
    )
    return Path(lxcpath.stdout.strip()) / ".lab-roots" / name.replace("/", "-")


def test_what_is_shared_was_done_once_and_what_is_own_for_each(baked: ClassFolder) -> None:
    shared = {login: baked.root(login, "cat /srv/shared") for login in ("ana", "luis")}
    assert shared["ana"] == shared["luis"]
    assert [baked.root(login, "cat /srv/own").strip() for login in shared] == ["ana", "luis"]
    own = "cat /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub /etc/hostname"
    ana, luis = (baked.root(login, own).splitlines() for login in shared)
    assert len(ana) == len(luis) == 3
    assert not set(ana) & set(luis)


def test_nothing_of_anybody_is_in_a_bake(baked: ClassFolder) -> None:
    root = root_of(baked)
    assert (root / "srv/shared").exists()
    assert (root / "etc/machine-id").read_text() == ""
    left = ["srv/own", "etc/hostname", "home/vagrant/.ssh", "home/vagrant/kit"]
    assert [name for name in left if (root / name).exists()] == []
    assert list((root / "etc/ssh").glob("ssh_host_*")) == []
    # Whoever has no address from lab must still be able to ask for one.
    assert not (root / "etc/systemd/system/systemd-networkd.service").is_symlink()


def test_machines_have_addresses_that_were_known_before_they_booted(baked: ClassFolder) -> None:
    rows = {row["login"]: row["ip"] for row in baked.json("status")["machines"]}
    assert len(set(rows.values())) == len(rows)
    text = (baked.path / "Vagrantfile").read_text()
    for login in ("ana", "luis"):
        assert f"address: '{rows[login]}'" in text
        assert rows[login] in baked.root(login, "ip -4 -o addr show dev eth0")
        # It did not ask for another one, and finds its way out.
        assert baked.root(login, "systemctl is-active systemd-networkd", 3).strip() == "inactive"
        name_server = baked.root(login, "cat /etc/resolv.conf").split()[1]
        assert f"default via {name_server} " in baked.root(login, "ip route")


def test_a_clone_costs_megabytes(baked: ClassFolder) -> None:
    name = next(
        line
        for line in (baked.path / "Vagrantfile").read_text().splitlines()
        if "container: " in line
    ).split("'")[1]
    delta = root_of(baked).parents[1] / name / "delta"
    done = subprocess.run(["du", "-sm", delta], capture_output=True, text=True, check=True)
    assert int(done.stdout.split()[0]) < 30


def test_only_a_class_step_makes_a_new_bake(baked: ClassFolder) -> None:
    steps = baked.path / "provision" / GUIDE / "steps"
    before = bakes(baked)
    (steps / "own.sh").write_text('echo "now $LAB_LOGIN" >/srv/own\n')
    baked.lab("destroy", "ana", "--yes")
    baked.lab("up")
    assert bakes(baked) == before
    assert baked.root("ana", "cat /srv/own").strip() == "now ana"

    (steps / "shared.sh").write_text("echo new >/srv/shared\n")
    baked.lab("bake")
    assert len(bakes(baked)) == 2
    baked.lab("up")
    assert baked.root("luis", "cat /srv/shared").strip() == "new"


def test_a_bake_in_use_is_not_pruned(baked: ClassFolder) -> None:
    root = root_of_used(baked)
    baked.lab("box", "prune")
    assert len(bakes(baked)) == 1
    assert root.exists()

    baked.lab("destroy", "--yes")
    baked.lab("box", "prune")

    assert bakes(baked) == set()
    assert not root.exists()


def root_of_used(folder: ClassFolder) -> Path:
    box = next(
        line for line in (folder.path / "Vagrantfile").read_text().splitlines() if "box: " in line
    ).split("'")[1]
    lxcpath = subprocess.run(
        ["lxc-config", "lxc.lxcpath"], capture_output=True, text=True, check=True
    )
    return Path(lxcpath.stdout.strip()) / ".lab-roots" / box.replace("/", "-")


def test_a_failing_class_step_is_told_once_and_nothing_is_left(baked: ClassFolder) -> None:
    (baked.path / "provision" / GUIDE / "steps/shared.sh").write_text("echo no flour >&2; exit 7\n")
    done = baked.lab("up", exit_code=1)
    assert "The step shared ended with exit code 7" in done.stdout
    assert "no flour" in done.stdout
    assert bakes(baked) == set()
    guests = subprocess.run(["lxc-ls", "-1"], capture_output=True, text=True, check=True).stdout
    assert "labbake-" not in guests
