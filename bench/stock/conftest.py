"""The fixtures that the guide's checks ask for, made of stock testinfra over ssh alone.

So the same checks run without lab, a connection a command, as testinfra does it:
`pytest --hosts=ssh://NAME?sudo=true --ssh-config=CONFIG`. `STUDENTS` names a JSON file of who is on which machine.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import testinfra

from lab.checks.evidence import expect
from lab.checks.fixtures import LabHost, wait_until

STUDENTS = json.loads(Path(os.environ["STUDENTS"]).read_text(encoding="utf-8"))


def pytest_configure(config):
    config.addinivalue_line("markers", "check: what a check says of itself, for lab to read")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Let pytest-xdist keep a machine's checks together and in order: some stop and reboot it."""
    for item in items:
        spec = getattr(item, "callspec", None)
        if spec is not None:
            item.add_marker(pytest.mark.xdist_group(spec.id))


@pytest.fixture
def machine(host):
    """The machine's name in the ssh configuration."""
    return host.backend.host.name


@pytest.fixture
def student(host, machine):
    known = STUDENTS[machine]
    return SimpleNamespace(**known, home=f"/home/{known['login']}")


@pytest.fixture
def as_student(host, machine, request):
    return testinfra.get_host(
        f"ssh://{machine}.student", ssh_config=request.config.getoption("--ssh-config")
    )


@pytest.fixture
def from_lab_host(student):
    return LabHost(student.address, student.vhost)


@pytest.fixture(name="expect")
def _expect():
    return expect


@pytest.fixture(name="wait_until")
def _wait_until():
    return wait_until


@pytest.fixture
def reboot(host):
    def mark():
        return host.run("cut -d' ' -f22 /proc/1/stat").stdout

    def reboot():
        before = mark()
        host.run("(sleep 0.2; systemctl reboot) >/dev/null 2>&1 &")
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            time.sleep(0.3)
            try:
                if mark() not in ("", before):
                    return
            except RuntimeError:  # ssh's exit code 255
                continue
        raise TimeoutError("the machine did not come back")

    return reboot
