"""What doctor finds of what libvirt keeps for lab's machines."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.machines.health import Health, Verdict, ok
from lab.machines.probes import libvirt
from tests.unit.conftest import Program

CONNECT = "sudo virsh --connect qemu:///system"


@pytest.fixture(autouse=True)
def _sudo(program: Program) -> None:
    program("sudo", 'shift; exec "$@"')


def answers(monkeypatch: pytest.MonkeyPatch, *, up: str, there: str) -> None:
    """libvirt lists pools, or networks, by name."""
    monkeypatch.setattr(libvirt.virsh, "ask", lambda *_: [up, there])


@pytest.mark.parametrize("look", [libvirt.pool, libvirt.networks])
def test_what_is_not_there_yet_is_no_trouble(
    monkeypatch: pytest.MonkeyPatch, look: Callable[[], Verdict]
) -> None:
    answers(monkeypatch, up="default\n", there="default\n")
    assert look() == ok("made with the first machine")


def test_what_is_up_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, up="default\nlab\n", there="default\nlab\n")
    assert libvirt.pool() == ok("lab is active, in /var/lib/libvirt/lab/images")
    assert libvirt.networks() == ok("up: lab")


def test_what_is_down_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, up="lab\n", there="lab\nlab-open\nlab-offline\n")
    verdict = libvirt.networks()
    assert verdict.outcome is Health.NOTE
    assert verdict.found == "libvirt's networks are down: lab-open, lab-offline"
    assert [str(it) for it in verdict.commands] == [
        f"{CONNECT} net-start lab-open",
        f"{CONNECT} net-start lab-offline",
    ]
    answers(monkeypatch, up="", there="lab\n")
    verdict = libvirt.pool()
    assert (verdict.outcome, verdict.found) == (
        Health.NOTE,
        "The storage pool lab is not active",
    )
    assert [str(it) for it in verdict.commands] == [f"{CONNECT} pool-start lab"]


def test_an_image_that_nobody_finished_copying(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    part, lock = tmp_path / "image.part", tmp_path / "lock"
    monkeypatch.setattr(libvirt, "_PART", part)
    monkeypatch.setattr(libvirt, "_LOCK", lock)
    assert libvirt.half_copied_image() == ok("none")
    part.write_bytes(b"half")
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert libvirt.half_copied_image() == ok("one is being copied now")
    verdict = libvirt.half_copied_image()
    assert verdict.outcome is Health.NOTE
    [remove] = verdict.commands
    remove.run()
    assert not part.exists()
