"""What every test has: golden files that can be written anew, no real machine by accident."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.scheduler.loadscope import LoadScopeScheduling

MACHINES = Path(__file__).parent / "machines"
REQUIRED = os.environ.get("LAB_REQUIRE_MACHINES") == "1"
LXC = """
attach cgroup checkconfig config console copy create destroy device execute freeze info ls monitor
net snapshot start stop top unfreeze unshare usernsexec wait
"""
GUARDED = (
    *("vagrant", "ssh", "sudo", "debootstrap", "virsh", "VBoxManage", "nft"),
    *(f"lxc-{command}" for command in LXC.split()),
)
STUB = """#!/bin/sh
echo "$0 $*: tests outside of tests/machines do not run the real one" >&2
exit 97
"""

# Two shared cores make single examples slow at times, and a database of examples would litter.
settings.register_profile("lab", deadline=None, database=None)
settings.load_profile("lab")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write the expected files of golden tests anew"
    )


def pytest_configure(config: pytest.Config) -> None:
    # A shell has what it runs in the background ignore Ctrl-C, and so would every `lab` that a test interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # And under `nohup` a closed terminal is nothing to them.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    config.addinivalue_line("markers", "machines: boots real guests (run with -m machines)")
    config.addinivalue_line(
        "markers", "may_skip: needs something that not every host has, and says so"
    )


class MachinesApart(LoadScopeScheduling):
    """Tests on containers run one after another, as they wait for each other's boxes; all else beside them."""

    def _split_scope(self, nodeid: str) -> str:
        if "tests/machines/test_full_machine" in nodeid:
            return "full machine"
        return "containers" if "tests/machines/" in nodeid else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> MachinesApart:
    return MachinesApart(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    asked = REQUIRED or "machines" in str(config.getoption("-m"))
    for item in items:
        if MACHINES not in item.path.parents:
            continue
        item.add_marker("machines")
        if not asked:
            item.add_marker(pytest.mark.skip(reason="boots real guests: run with -m machines"))
        elif shutil.which("vagrant") is None:
            item.add_marker(pytest.mark.skip(reason="there is no vagrant on this host"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    excused = hasattr(report, "wasxfail") or item.get_closest_marker("may_skip") is not None
    if REQUIRED and report.skipped and not excused and _on_machines(item):
        report.outcome = "failed"
        report.longrepr = f"skipped with LAB_REQUIRE_MACHINES=1: {report.longrepr}"
    return report


def _on_machines(item: pytest.Item) -> bool:
    return item.get_closest_marker("machines") is not None


@pytest.fixture(scope="session")
def _stubs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("guard")
    for name in GUARDED:
        stub = folder / name
        stub.write_text(STUB)
        stub.chmod(0o755)
    return folder


@pytest.fixture(autouse=True)
def _guard(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, _stubs: Path) -> None:
    """Puts commands that fail before the real ones; a test's own stub goes before these."""
    if not _on_machines(request.node):
        monkeypatch.setenv("PATH", f"{_stubs}{os.pathsep}{os.environ.get('PATH', os.defpath)}")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """Compares a text with an expected file, or writes the file under --update-golden."""

    def compare(expected: Path, text: str) -> None:
        if request.config.getoption("--update-golden"):
            expected.parent.mkdir(parents=True, exist_ok=True)
            expected.write_text(text, encoding="utf-8")
        assert text == expected.read_text(encoding="utf-8")

    return compare
