"""The providers together: `auto` is the first that works, and why the others do not is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lab.errors import HOST, HostError, LabError, ProcessError
from lab.machines import providers as module
from lab.machines.providers import nearest, provider_named, trouble_with, untried
from lab.system import process
from tests.unit.conftest import FakeProvider

Program = Callable[[str, str], Path]
TROUBLES = dict[str, LabError | None]


class Moody(FakeProvider):
    """A provider that works, or has its trouble."""

    tried: list[str]
    troubles: TROUBLES

    def require(self) -> None:
        self.tried.append(self.name)
        if trouble := self.troubles.get(self.name):
            raise trouble


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> tuple[TROUBLES, list[str]]:
    """What is wrong with each of three providers, and which were tried."""
    troubles: TROUBLES = {}
    tried: list[str] = []

    def moody(name: str) -> Callable[[], Moody]:
        def make() -> Moody:
            made = Moody(name=name)
            made.troubles, made.tried = troubles, tried
            return made

        return make

    kinds = {
        name: module._Kind(make=moody(name), program=program, linux_only=name != "three")
        for name, program in (("one", "one-create"), ("two", "two-ctl"), ("three", "three-ctl"))
    }
    monkeypatch.setattr(module, "_KINDS", kinds)
    monkeypatch.setattr(module, "PROVIDERS", tuple(kinds))
    monkeypatch.setattr(module.sys, "platform", "linux")
    return troubles, tried


def test_the_first_that_works_ends_the_search(host: tuple[TROUBLES, list[str]]) -> None:
    troubles, tried = host
    troubles["one"] = HostError("the bridge is down", hint="start it")
    assert provider_named("auto").name == "two"
    assert tried == ["one", "two"]


def test_one_that_is_named_is_the_only_one_that_is_tried(
    host: tuple[TROUBLES, list[str]],
) -> None:
    troubles, tried = host
    troubles["one"] = HostError("the bridge is down", hint="start it")
    assert provider_named("three").name == "three"
    with pytest.raises(HostError, match="the bridge is down"):
        provider_named("one")
    assert tried == ["three", "one"]


def test_where_none_works_each_is_told_and_the_shortest_way_first(
    host: tuple[TROUBLES, list[str]], program: Program
) -> None:
    troubles, _ = host
    troubles["one"] = HostError("one is not installed", hint="install one")
    troubles["two"] = ProcessError("two does not answer", details="no socket")
    troubles["three"] = HostError("three is not installed", hint="install three")
    program("two-ctl", "")
    with pytest.raises(HostError) as caught:
        provider_named("auto")
    error = caught.value
    assert error.exit_code == HOST
    assert error.message == "No provider works on this computer"
    assert error.details == (
        "two: two does not answer\n  no socket\n"
        "one: one is not installed\n  install one\n"
        "three: three is not installed\n  install three"
    )
    assert nearest().name == "two"


def test_the_way_that_is_told_is_the_first_one_s(host: tuple[TROUBLES, list[str]]) -> None:
    troubles, _ = host
    for name in ("one", "two", "three"):
        troubles[name] = HostError(f"{name} is not installed", hint=f"install {name}")
    with pytest.raises(HostError) as caught:
        provider_named("auto")
    assert caught.value.hint == "install one\nThen look again: lab doctor"


def test_what_is_for_linux_is_not_tried_elsewhere(
    host: tuple[TROUBLES, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    troubles, tried = host
    monkeypatch.setattr(module.sys, "platform", "darwin")
    assert provider_named("auto").name == "three"
    assert tried == ["three"]
    with pytest.raises(HostError, match="The provider one needs a Linux host"):
        provider_named("one")
    troubles["three"] = HostError("three is not installed", hint="install three")
    with pytest.raises(HostError) as caught:
        provider_named("auto")
    assert caught.value.hint.startswith("install three")
    assert nearest().name == "three"


def test_an_interruption_is_no_reason_to_try_the_next(
    host: tuple[TROUBLES, list[str]],
) -> None:
    troubles, tried = host
    troubles["one"] = process.Interrupted("stopped")
    with pytest.raises(process.Interrupted):
        provider_named("auto")
    assert tried == ["one"]


def test_what_is_wrong_with_one_is_said(host: tuple[TROUBLES, list[str]]) -> None:
    troubles, _ = host
    troubles["two"] = HostError("no two")
    assert trouble_with(untried("one")) is None
    assert trouble_with(untried("two")) == HostError("no two")


def test_one_that_lab_does_not_have_is_told() -> None:
    with pytest.raises(HostError, match="The provider parallels is not in this version"):
        provider_named("parallels")
