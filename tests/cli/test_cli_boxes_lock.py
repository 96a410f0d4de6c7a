"""Two labs of one user at the same boxes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.errors import OK
from lab.system import lock
from lab.workflow.boxes import LOCK_NAME, boxes_in_use, boxes_locked

Started = Callable[..., "subprocess.Popen[str]"]
# Building takes debootstrap, which not every host has.
BUILD = """
import os, pathlib, time
from lab.machines.boxes import builder
def build(recipe, *, vagrant, log, note):
    with (pathlib.Path(os.environ["LAB_STUB_WORLD"]) / "built").open("a") as file:
        file.write("built\\n")
    time.sleep(0.3)
    vagrant.add_box(recipe.profile.box, "lab.box", provider="lxc")
builder.build = build
builder.built = lambda recipe, **_: builder.catalog.find(recipe.profile.box, provider="lxc")
from lab.cli import main
main()
"""


@pytest.fixture
def both(world: Any) -> Callable[[Callable[[], Any]], list[str]]:
    """Starts two labs, both of which have to wait for the boxes; what they said on stderr."""

    def run(start: Callable[[], subprocess.Popen[str]]) -> list[str]:
        path = Path(world.root.parent, "vagrant.d", LOCK_NAME)
        with lock.hold(path, operation="box prune"):
            children = [start(), start()]
            said = []
            for child in children:
                assert child.stderr is not None
                heard = ""
                for line in child.stderr:
                    heard += line
                    if "waiting for another lab at work on Vagrant's boxes" in heard:
                        break
                said.append(heard)
        for at, child in enumerate(children):
            said[at] += child.communicate(timeout=60)[1]
        assert [child.returncode for child in children] == [OK, OK], said
        return said

    return run


def test_two_projects_make_one_bake(world: Any, both: Any, started: Started) -> None:
    projects = [world.project, world.project.with_name("other")]
    shutil.copytree(*projects)
    files = iter(projects)
    said = both(lambda: started("up", "--file", str(next(files) / "labs.yaml")))
    for heard in said:
        assert "`lab box prune`, since" in heard
    added = [call for call in world.calls("vagrant") if call[:2] == ["box", "add"]]
    assert [call[2].partition("-")[0] for call in added] == ["lab"]
    assert len(list((world.root / "guests").iterdir())) == 6
    baked = sorted("baking" in heard for heard in said)
    assert baked == [False, True]


def test_two_builds_of_one_box_build_it_once(world: Any, both: Any) -> None:
    shutil.rmtree(world.root.parent / "vagrant.d" / "boxes")
    said = both(
        lambda: subprocess.Popen(
            [sys.executable, "-c", BUILD, "box", "build", "debian-12"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    )
    assert (world.root / "built").read_text() == "built\n"
    ends = sorted(heard.strip().splitlines()[-1] for heard in said)
    assert ends == [
        "The box lab/debian-12 for lxc is built.",
        "The box lab/debian-12 for lxc is up to date.",
    ]


def test_a_bake_that_somebody_is_about_to_clone_is_not_pruned(
    lab: Any, world: Any, started: Started
) -> None:
    assert lab("bake").code == OK
    [bake] = (world.root.parent / "vagrant.d/boxes").glob("lab-bake-*")
    with boxes_in_use(on_wait=pytest.fail):
        child = started("box", "prune")
        assert child.stderr is not None
        assert child.stderr.readline() == (
            "waiting for a `lab up` at work, which may use any box\n"
        )
        assert bake.exists()
        # What makes boxes goes on.
        with boxes_locked("bake", on_wait=pytest.fail):
            pass
    _, err = child.communicate(timeout=60)
    assert child.returncode == OK
    assert err.startswith("Removed lab-bake/tiny-")


@pytest.mark.parametrize("words", [("box", "prune"), ("box", "add", "school/base")])
def test_what_changes_boxes_holds_their_lock(world: Any, lab: Any, words: tuple[str, ...]) -> None:
    assert lab(*words, *(["base.box"] if "add" in words else [])).code == OK
    holder = lock.holder_of(Path(world.root.parent, "vagrant.d", LOCK_NAME))
    assert holder is not None
    assert holder.operation == " ".join(words)
