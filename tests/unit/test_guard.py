"""The guard itself: no unit test reaches a real machine."""

from __future__ import annotations

import subprocess

import pytest


@pytest.mark.parametrize("command", ["vagrant", "ssh", "sudo", "debootstrap", "lxc-ls"])
def test_the_real_command_is_out_of_reach(command: str) -> None:
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=False)
    assert done.returncode == 97
    assert "tests outside of tests/machines do not run the real one" in done.stderr
