"""What a doctor says of each provider: only the one in use can be a problem."""

from __future__ import annotations

import pytest

from lab.errors import HostError, LabError
from lab.machines.health import note, ok, problem
from lab.workflow.doctor import provider_state as module
from lab.workflow.doctor.provider_state import provider_works
from tests.unit.conftest import FakeProvider


@pytest.fixture(autouse=True)
def troubles(monkeypatch: pytest.MonkeyPatch) -> dict[str, LabError]:
    """What is wrong with each provider."""
    found: dict[str, LabError] = {}
    monkeypatch.setattr(module, "untried", lambda name: FakeProvider(name=name))
    monkeypatch.setattr(module, "trouble_with", lambda it: found.get(it.name))
    return found


def test_the_one_in_use_is_said() -> None:
    assert provider_works("lxc", used="lxc") == ok("it works, and is used")
    assert provider_works("libvirt", used="lxc") == ok("it works, and is not used")


def test_one_that_nobody_uses_is_no_more_than_a_note(troubles: dict[str, LabError]) -> None:
    troubles["libvirt"] = HostError("virsh is missing", details="no such file", hint="install it")
    assert provider_works("libvirt", used="lxc") == note(
        "It is not used, and does not work: virsh is missing\nno such file", fix="install it"
    )


def test_the_one_in_use_is_a_problem(troubles: dict[str, LabError]) -> None:
    troubles["lxc"] = HostError("the bridge is down", hint="start it")
    assert provider_works("lxc", used="lxc") == problem(
        "the bridge is down", why="It is what boots the machines.", fix="start it"
    )
