"""`lab handout` as a teacher calls it."""

from __future__ import annotations

import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.errors import HOST, NOT_ALL_WELL, OK, USAGE

Lab = Callable[..., Any]
# What the stub of ssh-keygen writes, and no word of lab's.
SECRET = "sEcReT-oF-a-StUdEnT"


@pytest.fixture(autouse=True)
def _secret_keys(world: Any) -> None:
    keygen = world.root / "bin" / "ssh-keygen"
    keygen.write_text(keygen.read_text().replace("echo private", f"echo {SECRET}"))


@pytest.fixture(autouse=True)
def _no_settings_of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LAB_VIA", "LAB_CONTACT", "LAB_LANG", "LAB_HANDOUT_FORMAT", "LAB_HANDOUT_OUTPUT"):
        monkeypatch.delenv(name, raising=False)


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in sorted(folder.iterdir())}


def test_a_class_gets_its_handouts(lab: Lab, world: Any) -> None:
    lab("up", "--no-bake")
    ran = lab("handout")
    folder = world.project / "handouts" / "hello"
    assert ran.code == OK
    assert ran.out.splitlines() == [
        f"handouts/hello/{login}.{kind}"
        for login in ("ana", "luis", "marta")
        for kind in ("html", "pdf")
    ]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    names = [
        name
        for it in ("ana", "luis", "marta")
        for name in (f"{it}.html", f"{it}.pdf", f"hello-{it}.key")
    ]
    assert modes(folder) == dict.fromkeys(sorted(names), 0o600) | {".gitignore": 0o644}
    page = (folder / "ana.html").read_text()
    assert "Ana Núñez" in page
    assert f"{SECRET}\n" in page
    assert (folder / "hello-ana.key").read_text() == f"{SECRET}\n"
    again = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert lab("handout").code == OK
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == again


def test_the_key_is_in_the_students_files_only(lab: Lab, world: Any) -> None:
    lab("up", "ana")
    told = [
        lab("handout", "ana"),
        lab("handout"),
        lab("handout", "--via", "-x@y"),
        lab("status", "--format", "json"),
        lab("logs"),
    ]
    assert not any(SECRET in ran.out + ran.err for ran in told)
    assert SECRET not in (world.root / "calls").read_text()
    holding = {
        str(path.relative_to(world.project))
        for path in world.project.rglob("*")
        if path.is_file() and SECRET.encode() in path.read_bytes() and ".lab/ssh" not in str(path)
    }
    assert holding == {"handouts/hello/ana.html", "handouts/hello/hello-ana.key"}


def test_who_has_no_machine_is_named_with_what_makes_it(lab: Lab, world: Any) -> None:
    lab("up", "ana")
    ran = lab("handout", "--format", "html")
    assert ran.code == NOT_ALL_WELL
    assert ran.out == "handouts/hello/ana.html\n"
    assert (
        "No handout for hello/luis: hello-luis is not there yet. Next: lab up hello/luis"
        in ran.said
    )
    assert "No handout for hello/marta" in ran.said
    assert not (world.project / "handouts" / "hello" / "luis.html").exists()


def test_what_is_on_it_can_be_said_by_flag_and_by_environment(
    lab: Lab, world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab("up", "ana")
    words = ("--via", "{login}@aula.example.org", "--contact", "Marta <aula 12>", "--lang", "es")
    mine = tmp_path / "mine"
    ran = lab("handout", "ana", *words, "--format", "html", "--output", str(mine))
    assert (ran.code, ran.out) == (OK, f"{mine}/hello/ana.html\n")
    page = (mine / "hello" / "ana.html").read_text()
    assert ">ana@aula.example.org<" in page
    assert "Pregunta a Marta &lt;aula 12&gt;." in page
    for name, value in {
        "LAB_VIA": "{login}@aula.example.org",
        "LAB_CONTACT": "Marta <aula 12>",
        "LAB_LANG": "es",
        "LAB_HANDOUT_FORMAT": "html",
        "LAB_HANDOUT_OUTPUT": str(tmp_path / "other"),
    }.items():
        monkeypatch.setenv(name, value)
    assert lab("handout", "ana").code == OK
    assert (tmp_path / "other" / "hello" / "ana.html").read_text() == page
    assert not (world.project / "handouts").exists()


def test_a_student_who_has_left_and_one_whose_steps_failed_are_told(lab: Lab, world: Any) -> None:
    world.fault(steps={"hello-luis": "app"})
    lab("up", "--no-bake")
    assert "lab up hello/luis" in lab("handout", "--format", "html").said
    world.edit(", luis, marta]", ", luis]")
    ran = lab("handout", "ana", "--format", "html")
    assert ran.code == OK
    assert "Of nobody in labs.yaml any more: handouts/hello/marta.html" in ran.said
    assert (world.project / "handouts" / "hello" / "marta.html").exists()


@pytest.mark.parametrize(
    "words",
    [("--via", "a b"), ("--lang", "fr"), ("--format", "docx"), ("nobody",)],
    ids=" ".join,
)
def test_what_cannot_be_is_2_and_writes_nothing(
    lab: Lab, world: Any, words: tuple[str, ...]
) -> None:
    lab("up", "ana")
    ran = lab("handout", *words)
    assert (ran.code, ran.out) == (USAGE, "")
    assert not (world.project / "handouts").exists()


def test_without_pango_it_is_3_with_the_way_without(
    lab: Lab, world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    lab("up", "ana")
    ran = lab("handout", "ana")
    assert (ran.code, ran.out) == (HOST, "")
    assert "libpango" in ran.err
    assert "--format html" in ran.said
    assert not (world.project / "handouts").exists()
    assert lab("handout", "ana", "--format", "html").code == OK
