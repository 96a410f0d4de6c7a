"""`lab handout`'s workflow: who gets a page, what is told of the rest, and who may read what is written."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.classroom.guide import load_guide
from lab.errors import LabError, UsageError
from lab.machines.keys import fingerprint, write_address
from lab.machines.providers.base import Guest
from lab.workflow.handout import Handouts, Wanted, Without, check_via, make_handouts
from lab.workflow.project import Project
from lab.workflow.records import Stage, new_record, write_record
from tests.unit.conftest import GUIDE, FakeProvider, Witness

SECRET = "-----BEGIN OPENSSH PRIVATE KEY-----\nnobody but {} has this\n-----END OPENSSH PRIVATE KEY-----\n"
LOGINS = ("ana", "luis", "marta")


@pytest.fixture
def made(project: Project) -> Project:
    """The three machines run, are finished, and have keys."""
    for machine in project.machines:
        project.provider.add(
            machine.container, ip=f"10.0.3.{LOGINS.index(machine.student.login) + 1}"
        )
        machine.keys.student.write_text(SECRET.format(machine.student.login))
        write_record(project.folder, replace(new_record(machine), stage=Stage.READY))
    return project


@pytest.fixture
def _open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def hand_out(project: Project, *logins: str, **wanted: Any) -> Handouts:
    machines = [it for it in project.machines if not logins or it.student.login in logins]
    options = {"folder": project.path / "handouts", "formats": ("html",), **wanted}
    return make_handouts(project, machines, wanted=Wanted(**options), observer=Witness())


def below(folder: Path) -> dict[str, int]:
    """Every file and folder, with its permissions."""
    return {
        str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode)
        for path in sorted(folder.rglob("*"))
    }


def test_each_student_gets_a_page_with_their_own_key_and_no_other(made: Project) -> None:
    told = hand_out(made)
    folder = made.path / "handouts" / "hello"
    pages = tuple(folder / f"{login}.html" for login in LOGINS)
    assert told == Handouts(pages=pages, without=(), unfinished=(), left_over=())
    for number, login in enumerate(LOGINS, start=1):
        page = (folder / f"{login}.html").read_text()
        assert SECRET.format(login).strip() in page
        assert f"{login}@10.0.3.{number}<" in page
        assert not any(SECRET.format(other).strip() in page for other in LOGINS if other != login)
    assert "Luis Núñez" in (folder / "luis.html").read_text()


def test_paper_has_no_key_and_a_file_beside_it_has(made: Project) -> None:
    folder = made.path / "handouts" / "hello"
    told = hand_out(made, "ana", formats=("html", "pdf"))
    assert told.pages == (folder / "ana.html", folder / "ana.pdf")
    assert (folder / "hello-ana.key").read_text() == SECRET.format("ana")
    assert b"%PDF-" in (folder / "ana.pdf").read_bytes()[:8]
    assert hand_out(made, "ana", formats=("pdf",)).pages == (folder / "ana.pdf",)


@pytest.mark.usefixtures("_open_umask")
def test_nobody_else_may_read_them_whatever_was_there_before(made: Project) -> None:
    folder = made.path / "handouts" / "hello"
    folder.mkdir(parents=True, mode=0o777)
    for name in ("ana.html", "ana.pdf", "hello-ana.key"):
        (folder / name).write_text("old")
        (folder / name).chmod(0o644)
    hand_out(made, "ana", formats=("html", "pdf"))
    expected = {
        "hello": 0o700,
        "hello/.gitignore": 0o644,
        "hello/ana.html": 0o600,
        "hello/ana.pdf": 0o600,
        "hello/hello-ana.key": 0o600,
    }
    assert below(made.path / "handouts") == expected
    # What is right but open is closed.
    for path in folder.iterdir():
        path.chmod(0o666)
    hand_out(made, "ana", formats=("html", "pdf"))
    assert below(made.path / "handouts") == expected | {"hello/.gitignore": 0o666}
    assert (folder / ".gitignore").read_text() == "*\n"


def test_a_new_folder_is_closed_as_a_whole(made: Project) -> None:
    hand_out(made, "ana")
    assert stat.S_IMODE((made.path / "handouts").stat().st_mode) == 0o700


def test_a_folder_of_ones_own_is_left_as_open_as_it_is(made: Project, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir(mode=0o755)
    hand_out(made, "ana", folder=tmp_path / "mine")
    assert stat.S_IMODE((tmp_path / "mine").stat().st_mode) == 0o755
    assert below(tmp_path / "mine")["hello"] == 0o700


def test_a_second_time_nothing_is_written(made: Project) -> None:
    def times() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in (made.path / "handouts").rglob("*")}

    hand_out(made, formats=("html", "pdf"))
    before = times()
    hand_out(made, formats=("html", "pdf"))
    assert times() == before


def test_the_key_is_in_nothing_that_is_said_or_noted(
    made: Project, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told = hand_out(made, formats=("html", "pdf"))
    said = capfd.readouterr()
    everything = f"{told!r}{said.out}{said.err}{caplog.text}"
    assert "nobody but" not in everything
    assert "PRIVATE KEY" not in everything
    holding = {
        path.name
        for path in made.path.rglob("*")
        if path.is_file() and b"nobody but ana" in path.read_bytes()
    }
    assert holding == {"ana.html", "hello-ana.key", "student"}


def test_who_has_no_machine_yet_has_no_page_and_their_old_one_goes(made: Project) -> None:
    hand_out(made, formats=("html", "pdf"))
    folder = made.path / "handouts" / "hello"
    del made.provider.found["lab-c0ffee-hello-luis"]
    made.provider.add("lab-c0ffee-hello-marta", started=False)
    [marta] = [machine for machine in made.machines if machine.name == "hello-marta"]
    write_record(made.folder, new_record(marta))
    told = hand_out(made)
    assert told.pages == (folder / "ana.html",)
    assert told.without == (
        Without(machine="hello-luis", target="hello/luis", why="hello-luis is not there yet"),
        Without(machine="hello-marta", target="hello/marta", why="hello-marta is not there yet"),
    )
    # Of Ana's, what was not asked for this time might be out of date by now.
    assert sorted(below(folder)) == [".gitignore", "ana.html"]


def test_a_guest_that_is_not_labs_is_not_handed_out(project: Project) -> None:
    project.provider.add("lab-c0ffee-hello-ana", started=False)
    [without] = hand_out(project, "ana").without
    assert without.why == "a guest that is not lab's is in the place of hello-ana"


def test_an_address_that_is_the_machines_own_is_known_while_it_is_off(
    made: Project, classroom: Callable[..., Project], provider: FakeProvider
) -> None:
    for login in ("ana", "luis"):
        container = f"lab-c0ffee-hello-{login}"
        provider.found[container] = Guest(name=container, state="stopped", started=True)
    [ana, *_] = made.machines
    write_address(ana.keys.folder, "10.0.3.77/24", name_server="10.0.3.1")
    told = hand_out(classroom())
    assert [(it.target, it.why) for it in told.without] == [
        ("hello/luis", "hello-luis is stopped, and gets its address as it boots")
    ]
    page = (made.path / "handouts" / "hello" / "ana.html").read_text()
    assert "ana@10.0.3.77<" in page
    changes = "may get another address"
    assert changes not in page
    assert changes in (made.path / "handouts" / "hello" / "marta.html").read_text()


def test_a_machine_behind_ports_needs_this_computer_as_the_jump_host(made: Project) -> None:
    ports = {22: 22007, 80: 28007}
    project = replace(made, machines=tuple(replace(it, ports=ports) for it in made.machines))
    [without] = hand_out(project, "ana").without
    assert without.why == (
        "hello-ana is reached from this computer alone: name it as the jump host, --via"
    )
    assert hand_out(project, "ana", via="aula.example.org").without == ()
    page = (made.path / "handouts/hello/ana.html").read_text()
    assert "22007" in page


@pytest.mark.parametrize("lost", ["student", "host"])
def test_keys_that_are_not_there_cost_one_student_their_page(
    made: Project, classroom: Callable[..., Project], lost: str
) -> None:
    keys = made.folder.ssh / "hello-luis"
    (keys / "student").unlink() if lost == "student" else (keys / "host.pub").write_text("damaged")
    project = made
    if lost == "host":
        luis = replace(made.machines[1], keys=replace(made.machines[1].keys, host_public="damaged"))
        project = replace(made, machines=(made.machines[0], luis, made.machines[2]))
    told = hand_out(project)
    assert [page.stem for page in told.pages] == ["ana", "marta"]
    assert [it.why for it in told.without] == [f"the keys of hello-luis cannot be read in {keys}"]


def test_who_may_not_get_in_yet_is_told(made: Project) -> None:
    for machine, stage in zip(made.machines[:2], (Stage.FAILED, Stage.BOOTED), strict=True):
        write_record(made.folder, replace(new_record(machine), stage=stage))
    told = hand_out(made)
    assert told.unfinished == ("hello/ana", "hello/luis")
    assert len(told.pages) == 3


def test_pages_of_students_who_have_left_are_named(made: Project) -> None:
    hand_out(made, formats=("html", "pdf"))
    folder = made.path / "handouts" / "hello"
    (folder / "notes.txt").touch()
    shrunk = replace(made, machines=made.machines[:2])
    told = hand_out(shrunk, "ana")
    # Luis was not asked for: his are still his.
    assert told.left_over == tuple(
        folder / name for name in ("hello-marta.key", "marta.html", "marta.pdf")
    )
    assert all(path.exists() for path in told.left_over)


def test_the_language_is_that_of_the_lab_unless_another_is_asked_for(
    classroom: Callable[..., Project], provider: FakeProvider
) -> None:
    lines = "handout: {en: [Look around], es: ['Mira <todo>']}\n"
    project = classroom("labs: {hello: {guide: tiny, domain: a.org, lang: es, students: [ana]}}")
    guide = replace_guide(project, GUIDE.replace("{en: Tiny}", "{en: Tiny, es: Mínima}") + lines)
    provider.add("lab-c0ffee-hello-ana")
    guide.machines[0].keys.student.write_text(SECRET)
    hand_out(guide)
    page = guide.path / "handouts" / "hello" / "ana.html"
    assert '<html lang="es">' in page.read_text()
    assert "Tu máquina para la práctica <strong>Mínima</strong>" in page.read_text()
    assert "<li>Mira &lt;todo&gt;</li>" in page.read_text()
    hand_out(guide, language="en")
    assert "<li>Look around</li>" in page.read_text()


def replace_guide(project: Project, text: str) -> Project:
    """The project with its guide as `text` has it."""
    (project.path / "provision" / "tiny" / "guide.yaml").write_text(text, encoding="utf-8")
    guide = load_guide("tiny", project=project.path)
    return replace(project, machines=tuple(replace(it, guide=guide) for it in project.machines))


def test_each_student_has_an_account_of_their_own_on_the_way(made: Project) -> None:
    hand_out(made, "ana", "luis", via="{login}@aula.example.org")
    folder = made.path / "handouts" / "hello"
    assert ">luis@aula.example.org<" in (folder / "luis.html").read_text()
    assert ">ana@aula.example.org<" in (folder / "ana.html").read_text()


@pytest.mark.parametrize(
    "via",
    [
        "aula",
        "10.0.0.1",
        "ana@aula.example.org",
        "{login}@Aula.Example.org:2222",
        "20261234@a",
        "a.b_c@h:1",
    ],
)
def test_a_host_to_come_in_through(via: str) -> None:
    check_via(via)


@pytest.mark.parametrize(
    "via",
    [
        *(
            "@aula",
            "aula:",
            "aula:0",
            "aula:65536",
            "aula:22:22",
            "-oProxyCommand=x",
            "-J@aula",
            "a b@aula",
        ),
        *(
            "ana@-aula",
            "ana@au la",
            "ana@aula;id",
            "ana@aula\nx",
            "$(id)@aula",
            "{name}@aula",
            "ana@{login}",
        ),
        *("a@b@c", "ana@", "aula/x", "ana@aula,b@c"),
    ],
)
def test_what_is_no_host_is_refused_before_anything_is_written(made: Project, via: str) -> None:
    with pytest.raises(UsageError, match="is not a host to come in through"):
        hand_out(made, via=via)
    assert not (made.path / "handouts").exists()


def test_what_a_killed_lab_has_left_half_written_goes(made: Project) -> None:
    folder = made.path / "handouts" / "hello"
    folder.mkdir(parents=True)
    # No process has so great a number.
    (folder / ".ana.html.99999999-0123abcd.new").write_text("a private key, say")
    hand_out(made, "ana")
    assert sorted(below(folder)) == [".gitignore", "ana.html"]


def test_a_file_in_the_folders_place_is_told(made: Project) -> None:
    (made.path / "handouts").write_text("")
    with pytest.raises(LabError, match="handouts could not be made"):
        hand_out(made)


def test_the_fingerprint_is_of_the_key_that_ssh_will_show(made: Project) -> None:
    hand_out(made, "ana")
    page = (made.path / "handouts" / "hello" / "ana.html").read_text()
    public = made.machines[0].keys.host_public
    assert fingerprint(public) in page
    assert public.split()[1] in page
    assert "hello-ana (host)" not in page
