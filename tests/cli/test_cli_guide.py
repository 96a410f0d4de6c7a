"""Commands for guides, as a user calls them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.classroom.proofs import GuideProof, ProofFinding
from lab.errors import HOST, NOT_ALL_WELL, OK, USAGE
from lab.workflow import guide_proof

Lab = Callable[..., Any]


def test_a_new_guide_is_there_to_be_listed_and_used(lab: Lab, world: Any) -> None:
    ran = lab("guide", "new", "mine")
    assert (ran.code, ran.out) == (OK, "")
    assert "lab guide test mine" in ran.err
    assert "mine: {guide: mine, " in ran.err
    [mine] = [
        it for it in lab("guide", "list", "--format", "json").json["guides"] if it["name"] == "mine"
    ]
    assert (mine["steps"], mine["checks"], mine["problem"]) == (2, 4, None)
    assert "mine" in lab("guide", "list").out
    labs = world.project / "labs.yaml"
    labs.write_text("labs: {mine: {guide: mine, domain: vps.example.org, students: [ana, luis]}}")
    assert lab("validate").out == "mine: 2 students, guide mine (2 steps), box ubuntu-18.04\n"


def test_a_guide_is_begun_beside_the_labs_yaml_that_is_named(lab: Lab, tmp_path: Path) -> None:
    ran = lab("guide", "new", "mine", "--file", str(tmp_path / "class/labs.yaml"))
    assert ran.code == OK
    assert (tmp_path / "class/provision/mine/guide.yaml").is_file()


@pytest.mark.parametrize("name", ["tiny", "hellopython", "A B", "../x"])
def test_a_name_that_is_taken_or_none(lab: Lab, name: str) -> None:
    ran = lab("guide", "new", name)
    assert (ran.code, ran.out) == (USAGE, "")


def test_a_guide_that_is_not_there_is_not_tried(lab: Lab, world: Any) -> None:
    ran = lab("guide", "test", "tinny")
    assert ran.code == USAGE
    assert "did you mean `tiny`?" in ran.said
    assert world.calls("vagrant") == []


def test_a_box_that_is_not_there(lab: Lab, world: Any) -> None:
    ran = lab("guide", "test", "tiny", "--box", "nobody/has-it")
    assert ran.code == HOST
    assert "lab box add nobody/has-it" in ran.said
    assert world.calls("vagrant") == []


@pytest.mark.parametrize(("words", "said"), [((), "Hay algo"), (("--lang", "en"), "Something")])
def test_what_a_proof_found_is_told_in_the_class_s_language_and_is_1(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    finding = ProofFinding(
        kind="guide.odd",
        text={"en": "Something", "es": "Hay algo"},
        advice={"en": "Mend it", "es": "Corrígelo"},
    )
    asked: list[dict[str, Any]] = []

    def prove(name: str, **given: Any) -> GuideProof:
        given.pop("observer")
        asked.append({"name": name, **given})
        return GuideProof(
            guide=name,
            box="debian-12",
            steps=(),
            findings=(finding,),
            ways_in=("ssh -F config tiny",),
            lang="es",
        )

    monkeypatch.setattr(guide_proof, "prove_guide", prove)
    ran = lab("guide", "test", "tiny", "--keep", "--box", "debian-12", *words)
    assert ran.code == NOT_ALL_WELL
    assert said in ran.out
    assert "ssh -F config tiny" in ran.err
    assert asked == [
        {"name": "tiny", "labs_yaml": Path("labs.yaml"), "box": "debian-12", "keep": True}
    ]
    ran = lab("guide", "test", "tiny", "--format", "json", *words)
    assert ran.json["findings"][0]["message"] == said
