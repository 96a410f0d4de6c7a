"""Four of six machines fail, each at another stage of `lab up`; the other two are as if nothing had happened."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.machines.conftest import BOX, ClassFolder

LOGINS = ("ana", "nocreate", "noboot", "nossh", "nostep", "zoe")
LABS_YAML = f"""\
defaults: {{box: {BOX}, domain: example.org}}
labs: {{stages: {{students: [{", ".join(LOGINS)}]}}}}
"""
GUIDE_YAML = """\
name: stages
title: {en: Stages}
steps: [{name: only, scope: student, title: {en: Only}}]
"""
STEP = """\
set -euo pipefail
echo "$LAB_LOGIN is at work"
[ "$LAB_LOGIN" != nostep ] || [ -e /srv/mended ] || { echo "no luck today" >&2; exit 7; }
touch /srv/done
"""
CHECKS = """\
import pytest

@pytest.mark.check(id="only.done", step="only", title="Done")
def test_done(host):
    assert host.file("/srv/done").exists, "/srv/done is not there"
"""


@pytest.fixture(scope="module")
def stages(new_class: Callable[[str, str], ClassFolder]) -> Iterator[ClassFolder]:
    folder = new_class("stages", LABS_YAML)
    guide = folder.path / "provision/stages"
    (guide / "steps").mkdir(parents=True)
    (guide / "checks").mkdir()
    (guide / "guide.yaml").write_text(GUIDE_YAML)
    (guide / "steps/only.sh").write_text(STEP)
    (guide / "checks/test_only.py").write_text(CHECKS)

    # One whose SSH server never answers: it was stopped as the machine was halted.
    folder.lab("up", "nossh")
    folder.root("nossh", "systemctl mask ssh")
    folder.lab("halt", "nossh")
    # One whose place below LXC's folder is taken, by a file.
    in_the_way(folder).touch()
    # One whose host key cannot be put into it as it starts.
    (folder.path / ".lab/ssh/stages-noboot/host").unlink()
    (folder.path / ".lab/ssh/stages-noboot/host").mkdir()
    yield folder
    in_the_way(folder).unlink(missing_ok=True)


def in_the_way(folder: ClassFolder) -> Path:
    project = json.loads((folder.path / ".lab/state/project.json").read_text())
    lxcpath = subprocess.run(
        ["lxc-config", "lxc.lxcpath"], capture_output=True, text=True, check=True
    ).stdout.strip()
    return Path(lxcpath, f"lab-{project['id']}-stages-nocreate")


def rows_of(document: Any) -> dict[str, Any]:
    return {row["login"]: row for row in document["machines"]}


def test_each_failure_stays_on_its_machine(stages: ClassFolder) -> None:
    rows = rows_of(stages.json("up", "--boot-timeout", "20s", exit_code=1))

    assert {login: row["ok"] for login, row in rows.items()} == {
        "ana": True, "nocreate": False, "noboot": False, "nossh": False, "nostep": False, "zoe": True,
    }  # fmt: skip
    for login in ("nocreate", "noboot", "nossh", "nostep"):
        row = rows[login]
        assert row["retry"] == f"lab up stages/{login}"
        assert row["message"]
        assert row["tail"] or login == "nocreate", row
    assert rows["nostep"]["failed_step"] == "only"
    assert rows["nostep"]["tail"][-1] == "no luck today"
    assert "Timed out while waiting for the machine to boot" in " ".join(
        [rows["nossh"]["message"], *rows["nossh"]["tail"]]
    )
    # As fast as without them: the slowest to fail is waited for, and not by those that work.
    for login in ("ana", "zoe"):
        assert rows[login]["seconds"] < rows["nossh"]["seconds"]


def test_one_summary_names_each_with_its_retry(stages: ClassFolder) -> None:
    ran = stages.lab("up", "--boot-timeout", "15s", exit_code=1)

    for login in ("nocreate", "noboot", "nossh", "nostep"):
        assert ran.stdout.count(f"retry: lab up stages/{login}\n") == 1
        assert f".lab/logs/stages-{login}.log" in ran.stdout.replace("\n    ", "")
    assert "2 of 6 machines are ready, 0 changed; 4 failed: " in ran.stdout


def test_those_that_are_well_are_evaluated(stages: ClassFolder) -> None:
    outcomes = stages.outcomes()
    assert (outcomes["ana"], outcomes["zoe"]) == ({}, {})
    assert outcomes["nostep"] == {"only.done": "failed"}
    assert {outcomes[login]["only.done"] for login in ("nocreate", "noboot", "nossh")} == {
        "unknown"
    }


def test_what_failed_and_only_that_is_tried_again(stages: ClassFolder) -> None:
    in_the_way(stages).unlink()
    (stages.path / ".lab/ssh/stages-noboot/host").rmdir()
    stages.root("nostep", "touch /srv/mended")
    # What no step of the guide mends: the machine is made anew.
    stages.lab("destroy", "nossh", "--yes")

    rows = rows_of(stages.json("up", "--retry-failed"))
    assert {login: row["ok"] for login, row in rows.items()} == {
        "nocreate": True, "noboot": True, "nostep": True,
    }  # fmt: skip
    rows = rows_of(stages.json("up"))
    assert [login for login, row in rows.items() if row["changed"]] == ["nossh"]
    assert stages.outcomes() == {login: {} for login in LOGINS}
    assert stages.lab("up", "--retry-failed").stderr.endswith("No machine failed the last time.\n")
