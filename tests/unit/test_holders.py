"""Who had which login: noted by `up`, and not forgotten with the machines."""

from __future__ import annotations

import stat
from collections.abc import Callable

import pytest

from lab.classroom.roster_logins import Holder
from lab.errors import LabError
from lab.workflow.holders import LOGINS_FILE, all_holders, note_holders
from lab.workflow.project import Project
from lab.workflow.records import forget, new_record, write_record

LABS = """
labs:
  web:
    guide: tiny
    domain: example.org
    students: [{login: ana, name: Ana Núñez, email: ana@example.org, id_number: "7"}, luis]
"""
ANA = Holder(lab="web", login="ana", name="Ana Núñez", email="ana@example.org", id_number="7")
LUIS = Holder(lab="web", login="luis", name="luis")


@pytest.fixture
def project(classroom: Callable[..., Project]) -> Project:
    return classroom(LABS)


def test_nobody_had_a_login_yet(project: Project) -> None:
    assert all_holders(project.folder) == ()
    note_holders(project.folder)
    assert not (project.folder.state / LOGINS_FILE).exists()


def test_who_is_noted_stays_noted(project: Project) -> None:
    ana, luis = project.machines
    note_holders(project.folder, [luis])
    note_holders(project.folder, [ana])
    assert all_holders(project.folder) == (ANA, LUIS)
    path = project.folder.state / LOGINS_FILE
    assert len(path.read_text(encoding="utf-8").splitlines()) == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_machine_s_record_tells_what_the_note_does_not(project: Project) -> None:
    ana = project.machines[0]
    write_record(project.folder, new_record(ana))
    assert [(it.login, it.has_machine) for it in all_holders(project.folder)] == [("ana", True)]
    note_holders(project.folder)
    forget(project.folder, ana.name)
    assert all_holders(project.folder) == (ANA,)


def test_a_line_that_is_removed_is_forgotten(project: Project) -> None:
    note_holders(project.folder, project.machines)
    path = project.folder.state / LOGINS_FILE
    path.write_text(path.read_text(encoding="utf-8").splitlines()[1], encoding="utf-8")
    assert all_holders(project.folder) == (LUIS,)


@pytest.mark.parametrize(
    "line", ["{", "[]", "0", '{"lab": "web"}', '{"login": 1}', "\0", '{"login": "ana"}}']
)
def test_a_damaged_line_is_told_with_its_place_and_kept(project: Project, line: str) -> None:
    note_holders(project.folder, project.machines)
    path = project.folder.state / LOGINS_FILE
    text = path.read_text(encoding="utf-8") + line
    path.write_text(text, encoding="utf-8")
    for read in (all_holders, note_holders):
        with pytest.raises(LabError) as caught:
            read(project.folder)
        assert caught.value.message.startswith(f"{path}:3 is damaged")
        assert "remove that line" in caught.value.hint
    assert path.read_text(encoding="utf-8") == text


def test_a_note_that_is_no_text_is_told(project: Project) -> None:
    (project.folder.state / LOGINS_FILE).write_bytes(b"\xff\xfe")
    with pytest.raises(LabError, match="could not be read: it is no UTF-8"):
        all_holders(project.folder)
