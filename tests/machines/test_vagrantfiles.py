"""Real Vagrant takes every golden Vagrantfile, of each provider; nothing is booted."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from lab.classroom.shipped import shipped

CASES = Path(__file__).parents[1] / "golden" / "vagrantfile"
# All that Vagrant wants to know of VirtualBox before there is a machine.
VBOXMANAGE = """#!/bin/sh
case $1 in
    --version) echo 7.0.14r161095 ;;
    *) exit 1 ;;
esac
"""


def laid_out(case: str, folder: Path) -> str:
    """Lay out a case in a folder with what its Vagrantfile names; returns the provider."""
    text = (CASES / case / "Vagrantfile").read_text(encoding="utf-8")
    text = text.replace("/where/lab/is/provision", str(shipped("provision")))
    (folder / "Vagrantfile").write_text(text, encoding="utf-8")
    for keys in re.findall(r"^    keys: '(.*)',$", text, re.MULTILINE):
        (folder / keys).mkdir(parents=True)
        (folder / keys / "admin").touch(mode=0o600)
    for named in re.findall(r"^    (?:settings|guide): '(.*)',$", text, re.MULTILINE):
        (folder / named).mkdir(parents=True, exist_ok=True)
    match = re.search(r"VAGRANT_DEFAULT_PROVIDER'\] \|\|= '(.*)'", text)
    assert match is not None
    return match[1]


@pytest.mark.parametrize("case", sorted(path.name for path in CASES.iterdir()))
def test_vagrant_takes_the_golden_vagrantfile(case: str, tmp_path: Path) -> None:
    folder, stubs = tmp_path / "class", tmp_path / "bin"
    folder.mkdir()
    stubs.mkdir()
    (stubs / "VBoxManage").write_text(VBOXMANAGE)
    (stubs / "VBoxManage").chmod(0o755)
    assert laid_out(case, folder) in {"lxc", "libvirt", "virtualbox"}
    environment = {
        **os.environ,
        "PATH": f"{stubs}{os.pathsep}{os.environ['PATH']}",
        "VAGRANT_HOME": str(tmp_path / "home"),
        "VAGRANT_CHECKPOINT_DISABLE": "1",
    }
    done = subprocess.run(
        ["vagrant", "validate"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stderr, done.returncode) == ("", 0)
    assert "Vagrantfile validated successfully" in done.stdout
