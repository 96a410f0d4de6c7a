"""A class and its labs.yaml grow apart in every way that has a label; `lab plan` says so and `lab up` acts on it."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.machines.conftest import BOX, ClassFolder

OTHER_BOX = "lab-test/other"
LABS_YAML = f"""\
defaults: {{box: {BOX}, domain: example.org}}
labs:
  drift:
    vars: {{greeting: hello}}
    students: [ana, luis, marta]
"""
GUIDE_YAML = """\
name: drift
title: {en: Drift}
steps:
  - {name: first, scope: student, title: {en: First}}
  - {name: owned, scope: student, title: {en: Owned}}
  - {name: last, scope: student, title: {en: Last}}
"""
STEPS = {
    "first.sh": 'echo "$LAB_GREETING" >/srv/greeting; echo first >>/srv/runs\n',
    "owned.sh": "echo mine >/srv/owned; echo owned >>/srv/runs\n",
    "owned.state.sh": "cat /srv/owned\n",
    "last.sh": "echo last >>/srv/runs\n",
}


@pytest.fixture(scope="module")
def drift(new_class: Callable[[str, str], ClassFolder]) -> ClassFolder:
    folder = new_class("drift", LABS_YAML)
    steps = folder.path / "provision/drift/steps"
    steps.mkdir(parents=True)
    (steps.parent / "guide.yaml").write_text(GUIDE_YAML)
    for name, script in STEPS.items():
        (steps / name).write_text(f"set -euo pipefail\n{script}")
    return folder


@pytest.fixture(scope="module")
def other_box(tmp_path_factory: pytest.TempPathFactory, box: str) -> Iterator[str]:
    """The same box under another name, as Vagrant would have one of another make."""
    home = Path(os.environ.get("VAGRANT_HOME", "~/.vagrant.d")).expanduser()
    file = tmp_path_factory.mktemp("box") / "other.box"
    with tarfile.open(file, "w") as archive:
        for path in (home / f"boxes/lab-VAGRANTSLASH-{box}/0/lxc").iterdir():
            archive.add(path, arcname=path.name)
    subprocess.run(["vagrant", "box", "add", "--name", OTHER_BOX, str(file)], check=True)
    yield OTHER_BOX
    subprocess.run(["vagrant", "box", "remove", "--force", OTHER_BOX], check=True)


def labels(folder: ClassFolder, *words: str) -> dict[str, tuple[str, str]]:
    """Each machine's label and why."""
    rows = folder.json("plan", *words)["machines"]
    return {row["login"]: (row["label"], row["why"]) for row in rows if row["lab"]}


def edit(folder: ClassFolder, old: str, new: str) -> None:
    path = folder.path / "labs.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def runs(folder: ClassFolder, login: str) -> list[str]:
    return folder.root(login, "cat /srv/runs").split()


def test_nothing_is_there(drift: ClassFolder) -> None:
    document = drift.json("plan")
    ours = [row for row in document["machines"] if row["lab"]]
    assert [(row["login"], row["label"], row["action"]) for row in ours] == [
        (login, "missing", "create it") for login in ("ana", "luis", "marta")
    ]
    assert (document["fits"]["fit"], document["fits"]["of"]) == (3, 3)
    # Asking makes nothing, not even lab's own folder.
    assert drift.json("up", "--dry-run")["machines"] == document["machines"]
    assert not (drift.path / ".lab").exists()


def test_all_is_well(drift: ClassFolder) -> None:
    drift.lab("up")
    assert labels(drift) == dict.fromkeys(("ana", "luis", "marta"), ("ok", ""))


def test_a_variable_that_changed_is_named_and_its_step_runs_again(drift: ClassFolder) -> None:
    edit(drift, "greeting: hello", "greeting: good day")
    assert labels(drift, "ana") == {
        "ana": ("drifted", "other than when its step first ran: greeting")
    }
    drift.lab("up")
    assert drift.root("ana", "cat /srv/greeting") == "good day\n"
    assert runs(drift, "ana") == ["first", "owned", "last"] * 2
    assert set(labels(drift).values()) == {("ok", "")}


def test_an_edited_step_runs_again_with_what_follows_it(drift: ClassFolder) -> None:
    with (drift.path / "provision/drift/steps/owned.sh").open("a") as script:
        script.write("# edited\n")
    assert labels(drift, "luis") == {
        "luis": ("drifted", "the guide's step owned is another than the one that ran")
    }
    drift.lab("up")
    assert runs(drift, "luis") == [*["first", "owned", "last"] * 2, "owned", "last"]


def test_the_machine_s_own_records_are_believed(drift: ClassFolder) -> None:
    drift.root("ana", "echo somebody >/srv/owned")
    drift.root("luis", "rm /var/lib/lab/steps/last")
    drift.root("marta", "sed -i 's/ 0 / 9 /' /var/lib/lab/steps/last")
    assert labels(drift) == {
        "ana": ("drifted", "what its step owned owns was changed in the machine"),
        "luis": ("drifted", "step last is new"),
        "marta": ("half-made", "its step last failed"),
    }
    # Of what lab noted itself nothing is left, and it makes no difference.
    for note in (drift.path / ".lab/state/machines").iterdir():
        note.unlink()
    drift.lab("up")
    assert set(labels(drift).values()) == {("ok", "")}
    assert runs(drift, "marta")[-1:] == ["last"]
    assert runs(drift, "ana")[-1:] == ["owned"]


def test_what_is_halted_and_what_is_gone(drift: ClassFolder) -> None:
    drift.lab("halt", "ana")
    container = next(name for name in drift.guests() if name.endswith("-luis"))
    subprocess.run(["lxc-destroy", "--force", "--name", container], check=True, capture_output=True)
    assert labels(drift) == {
        "ana": ("stopped", ""),
        "luis": ("missing", "it was made, and is gone"),
        "marta": ("ok", ""),
    }
    drift.lab("up")
    assert set(labels(drift).values()) == {("ok", "")}


def test_another_box_is_left_until_it_is_said(drift: ClassFolder, other_box: str) -> None:
    drift.root("ana", "echo work >/srv/work")
    edit(drift, f"box: {BOX}", f"box: {other_box}")
    why = f"it was made of {BOX}; labs.yaml says {other_box} now"
    assert labels(drift)["luis"] == ("drifted", why)

    rows = drift.json("up", exit_code=1)["machines"]
    luis = next(row for row in rows if row["login"] == "luis")
    assert (luis["ok"], luis["retry"]) == (False, "lab up --recreate drift/luis")
    assert drift.root("ana", "cat /srv/work") == "work\n"

    drift.lab("up", "--recreate", "luis", exit_code=2)
    drift.lab("up", "--recreate", "luis", "--yes")
    assert labels(drift, "luis") == {"luis": ("ok", "")}
    assert runs(drift, "luis") == ["first", "owned", "last"]
    edit(drift, f"box: {other_box}", f"box: {BOX}")
    assert labels(drift)["luis"][0] == "drifted"
    assert drift.root("ana", "cat /srv/work") == "work\n"


def test_the_one_who_left_and_the_stranger(drift: ClassFolder) -> None:
    edit(drift, "[ana, luis, marta]", "[ana, luis, pep]")
    project = json.loads((drift.path / ".lab/state/project.json").read_text())
    stranger = f"lab-{project['id']}-drift-pep"
    subprocess.run(["lxc-create", "-n", stranger, "-t", "none"], check=True, capture_output=True)
    try:
        rows: list[Any] = drift.json("plan")["machines"]
        assert {row["machine"]: row["label"] for row in rows if "drift-" in row["machine"]} == {
            "drift-ana": "ok",
            "drift-luis": "drifted",
            "drift-pep": "foreign",
            "drift-marta": "orphan",
        }
        pep = next(
            row for row in drift.json("up", exit_code=1)["machines"] if row["login"] == "pep"
        )
        assert pep["message"] == f"lab did not make the guest {stranger}, and leaves it alone"
        drift.lab("destroy", "--yes", "pep")
        drift.lab("destroy", "--orphans", "--yes")
        assert {name.rpartition("-")[2] for name in drift.guests()} == {"ana", "luis", "pep"}
    finally:
        subprocess.run(["lxc-destroy", "-n", stranger], check=True, capture_output=True)
