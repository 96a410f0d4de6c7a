"""A guide of one's own: begun, listed, and never half written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lab.classroom.guide import load_guide
from lab.classroom.proofs import GuideSummary
from lab.classroom.shipped import shipped
from lab.errors import USAGE, LabError, UsageError
from lab.system import crash, files
from lab.workflow.guides import list_guides, new_guide
from tests.unit.conftest import write_guide

LAB_S = ["hellopython", "staticsite"]


def below(folder: Path) -> list[str]:
    return sorted(str(it.relative_to(folder)) for it in folder.rglob("*") if it.is_file())


def test_a_new_guide_can_be_read_and_has_its_name_everywhere(tmp_path: Path) -> None:
    folder = new_guide("bash-basics", project=tmp_path)
    assert folder == tmp_path / "provision/bash-basics"
    guide = load_guide("bash-basics", project=tmp_path)
    assert [(step.name, step.scope) for step in guide.steps] == [
        ("tool", "class"),
        ("account", "student"),
    ]
    assert list(guide.profiles) == ["debian-12", "debian-11", "ubuntu-18.04"]
    assert below(folder) == [
        "checks/test_account.py",
        "checks/test_tool.py",
        "files/say-hello",
        "guide.yaml",
        "steps/account.sh",
        "steps/account.state.sh",
        "steps/tool.sh",
        "steps/tool.state.sh",
    ]
    texts = [(folder / name).read_text() for name in below(folder)]
    assert not any("NAME" in text.replace("LAB_NAME", "") for text in texts)


@pytest.mark.parametrize("name", ["null", "true", "no", "y", "e1"])
def test_a_name_that_yaml_takes_for_something_else(tmp_path: Path, name: str) -> None:
    new_guide(name, project=tmp_path)
    assert load_guide(name, project=tmp_path).name == name


@pytest.mark.parametrize("name", ["", "A", "../x", "a/b", "1a", "a b", ".", "a" * 41, "ñandú"])
def test_a_name_that_is_none(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="is not a guide's name"):
        new_guide(name, project=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_already_stays(tmp_path: Path) -> None:
    folder = tmp_path / "provision/mine"
    folder.mkdir(parents=True)
    (folder / "notes").write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        new_guide("mine", project=tmp_path)
    assert below(tmp_path) == ["provision/mine/notes"]


@pytest.mark.parametrize("name", LAB_S)
def test_a_guide_of_lab_s_own_is_not_hidden_by_accident(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        new_guide(name, project=tmp_path)
    assert caught.value.exit_code == USAGE
    assert list(tmp_path.iterdir()) == []


def test_where_it_cannot_be_written_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(path: Path, text: str) -> None:
        if path.name == "guide.yaml":
            raise LabError("The disk is full")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    monkeypatch.setattr(files, "write_atomically", fails)
    with pytest.raises(LabError, match="The disk is full"):
        new_guide("mine", project=tmp_path)
    assert list((tmp_path / "provision").iterdir()) == []


def test_what_a_killed_one_left_is_no_guide_and_goes_with_the_next(tmp_path: Path) -> None:
    left = tmp_path / "provision/.mine.999999999-0123abcd.new"
    left.mkdir(parents=True)
    (left / "guide.yaml").write_text("name: mine\n")
    busy = left.with_name(f".mine.{os.getpid()}-0123abcd.new")
    busy.mkdir()
    assert [it.name for it in list_guides(tmp_path)] == LAB_S
    new_guide("mine", project=tmp_path)
    assert sorted(it.name for it in left.parent.iterdir()) == [busy.name, "mine"]


def test_guides_are_listed_with_what_is_wrong_with_them(tmp_path: Path) -> None:
    own = write_guide(tmp_path)
    (own / "checks").mkdir()
    (own / "checks/test_a.py").write_text(
        "import pytest\n"
        "@pytest.mark.check(id='a', step='web', title='A')\ndef test_a(): pass\n"
        "@pytest.mark.check(id='b', step='web', title='B')\ndef test_b(): pass\n"
        "def test_none(): pass\n"
    )
    (own / "checks/test_b.py").write_text("def (")
    broken = tmp_path / "provision/broken"
    broken.mkdir()
    (broken / "guide.yaml").write_text("name: broken\n")
    found = {it.name: it for it in list_guides(tmp_path)}
    assert list(found) == ["broken", "hellopython", "staticsite", "tiny"]
    assert found["tiny"] == GuideSummary(
        name="tiny", title={"en": "Tiny"}, steps=4, checks=2, folder=str(own), shipped=False
    )
    assert found["staticsite"].shipped
    assert found["staticsite"].folder == str(shipped("provision") / "staticsite")
    assert found["broken"].problem.startswith("provision/broken/guide.yaml has ")


def test_a_tree_is_whole_at_every_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    monkeypatch.setattr(crash, "point", lambda _: seen.append(below(tmp_path / "tree")))
    files.write_tree(tmp_path / "tree", {"a": "1", "b/c": "2"})
    assert below(tmp_path / "tree") == ["a", "b/c"]
    assert all(it == [] for it in seen)


def test_a_tree_in_another_s_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tree").write_text("a file")
    with pytest.raises(LabError, match="could not be written"):
        files.write_tree(tmp_path / "tree", {"a": "1"})
    assert [it.name for it in tmp_path.iterdir()] == ["tree"]
