"""The guide's own Python 3.7 with its pins, on a guest that stands in for Ubuntu 18.04."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.machines.conftest import ClassFolder
from tests.machines.python37 import build_packages, host_profile, prefix_of_host_python

LABS_YAML = """\
defaults: {{box: {box}, domain: vps.claseando.es, guest: {{ca_certificates: host}}}}
labs:
  hellopython:
    vars: {{python: "3.7"}}
    students: [sdelquin]
"""
WITHOUT = (
    "this host has no CPython 3.7 to build packages from, so nothing stands in for Ubuntu 18.04"
)


@pytest.mark.may_skip
def test_the_steps_and_checks_hold_for_python_37(
    new_class: Callable[[str, str], ClassFolder], tmp_path: Path
) -> None:
    prefix, profile = prefix_of_host_python(), host_profile()
    if prefix is None or not profile:
        pytest.skip(WITHOUT)
    folder = new_class("python37", LABS_YAML.format(box=profile))
    folder.lab("up", "--no-provision")
    install(folder, build_packages(prefix, tmp_path))

    folder.lab("up")

    assert folder.student("sdelquin", "python3.7 --version").startswith("Python 3.7.")
    versions = folder.student(
        "sdelquin", "pip --version; pipenv --version; uwsgi --version; uwsgi --python-version"
    )
    assert "(python 3.7)" in versions
    assert "pip 24.0" in versions
    assert "version 2023.10.3" in versions
    assert "2.0.31" in versions
    assert folder.outcomes() == {"sdelquin": {}}


def install(folder: ClassFolder, packages: list[Path]) -> None:
    subprocess.run(
        ["scp", "-q", "-F", folder.path / ".lab/ssh/config", *packages, "hellopython-sdelquin:"],
        check=True,
    )
    folder.root(
        "sdelquin",
        "apt-get update -q && DEBIAN_FRONTEND=noninteractive"
        " apt-get install -qy --no-install-recommends /home/vagrant/*.deb",
    )
