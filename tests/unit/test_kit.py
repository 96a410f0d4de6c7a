"""The kit that a guest is given, and what is made of what its runner says."""

from __future__ import annotations

import io
import shlex
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lab.classroom.shipped import shipped
from lab.errors import ConfigError, ConnectionLost, MachineError
from lab.machines import kit as module
from lab.machines.fleet import Machine
from lab.machines.kit import StepsOutcome, look, pack_kit, run_steps, settings_folder
from lab.workflow.project import Project

Program = Callable[[str, str], Path]
Answering = Callable[[str], None]
STEPS = "base", "web", "account", "app"


@pytest.fixture(autouse=True)
def _impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_S", 0.0)


@pytest.fixture
def ana(project: Project) -> Machine:
    settings = settings_folder(project.folder, "hello")
    settings.mkdir(parents=True)
    (settings / "pip.conf").write_text("[global]\n")
    return project.machines[0]


@pytest.fixture
def answering(program: Program, tmp_path: Path) -> Answering:
    """Makes `ssh` keep what it is sent and told, and answer with a script."""

    def make(script: str) -> None:
        here = shlex.quote(str(tmp_path))
        program(
            "ssh", f'cat >{here}/sent\nfor last; do :; done\necho "$last" >{here}/asked\n{script}'
        )

    return make


def ran(
    project: Project,
    machine: Machine,
    *,
    force: bool = False,
    only: tuple[str, ...] = (),
) -> tuple[StepsOutcome, list[str]]:
    told: list[str] = []
    outcome = run_steps(
        machine,
        project.folder,
        b"the kit",
        tell=told.append,
        force=force,
        only=only,
    )
    return outcome, told


def asked(tmp_path: Path) -> list[list[str]]:
    """The calls of the runner in the script that was sent, word by word."""
    script = shlex.split((tmp_path / "asked").read_text())[-1]
    return [shlex.split(line) for line in script.splitlines() if " bash $kit/run-steps " in line]


def test_the_kit_holds_the_runner_the_settings_and_the_guide(
    project: Project, ana: Machine
) -> None:
    cache = ana.guide.folder / "data" / "__pycache__"
    cache.mkdir()
    (cache / "x.pyc").touch()
    kit = pack_kit(ana, project.folder)
    with tarfile.open(fileobj=io.BytesIO(kit)) as archive:
        entries = {entry.name: entry for entry in archive.getmembers()}
        runner = archive.extractfile("run-steps")
        assert runner is not None
        assert runner.read() == (shipped("provision") / "run-steps").read_bytes()
    assert sorted(entries) == [
        "apt-install.sh",
        "guide",
        "guide/data",
        "guide/data/words.txt",
        "guide/guide.yaml",
        "guide/steps",
        *(f"guide/steps/{step}.sh" for step in sorted(STEPS)),
        "run-steps",
        "settings",
        "settings.sh",
        "settings/pip.conf",
        "student-account.sh",
    ]
    assert {(entry.uid, entry.gid, entry.uname) for entry in entries.values()} == {(0, 0, "root")}
    assert kit == pack_kit(project.machines[1], project.folder)


def test_no_check_gets_into_a_machine_where_students_could_read_it(
    project: Project, ana: Machine
) -> None:
    check = ana.guide.folder / "checks" / "below" / "test_web.py"
    check.parent.mkdir(parents=True)
    check.write_text("hidden=True")
    kit = pack_kit(ana, project.folder)
    with tarfile.open(fileobj=io.BytesIO(kit)) as archive:
        assert not [name for name in archive.getnames() if name.startswith("guide/checks")]
    check.write_text("hidden=False")
    assert pack_kit(ana, project.folder) == kit


def test_steps_are_asked_for_with_their_variables(
    project: Project, ana: Machine, answering: Answering, tmp_path: Path
) -> None:
    answering("")
    ran(project, ana)
    base, web, account, app = (step.argument for step in ana.steps)
    both = ["LAB_REPORT=1", "LAB_PYTHON=3.11"]
    student = [f"{name}={value}" for name, value in ana.student_variables.items()]
    assert asked(tmp_path) == [
        [*both, "bash", "$kit/run-steps", base, web],
        [*both, *student, "bash", "$kit/run-steps", account, app],
    ]
    assert (tmp_path / "sent").read_bytes() == b"the kit"


@pytest.mark.parametrize(("patience", "told"), [(8.0, "8"), (2.5, "3")])
def test_a_slow_guest_is_told_how_much_longer_things_may_take(
    project: Project,
    ana: Machine,
    answering: Answering,
    tmp_path: Path,
    patience: float,
    told: str,
) -> None:
    answering("")
    slow = replace(ana, patience=patience)
    ran(project, slow)
    assert [call[1] for call in asked(tmp_path)] == [f"LAB_PATIENCE={told}"] * 2
    with pytest.raises(MachineError):
        look(slow, project.folder)
    script = (tmp_path / "asked").read_text()
    assert script.count(f"LAB_PATIENCE={told} LAB_LOOK=1") == 2


def test_some_steps_may_be_asked_for_by_force(
    project: Project, ana: Machine, answering: Answering, tmp_path: Path
) -> None:
    answering("")
    ran(project, ana, only=("app",), force=True)
    [call] = asked(tmp_path)
    assert call[:2] == ["LAB_REPORT=1", "LAB_FORCE=1"]
    assert call[-2:] == ["$kit/run-steps", ana.steps[-1].argument]


def test_offline_no_step_is_run_that_downloads(
    project: Project, ana: Machine, answering: Answering, tmp_path: Path
) -> None:
    answering("")
    settings = settings_folder(project.folder, "hello")
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "offline").touch()
    ran(project, ana)
    assert [call[1] for call in asked(tmp_path)] == ["LAB_REFUSED=base web"] * 2


def test_steps_are_run_in_the_guide_s_order(
    project: Project, ana: Machine, answering: Answering, tmp_path: Path
) -> None:
    answering("")
    ran(project, ana)
    names = [word.split(":")[0] for call in asked(tmp_path) for word in call if ":" in word]
    assert [name for name in names if name in STEPS] == list(STEPS)


@pytest.mark.parametrize("name", ["force", "refused", "report", "patience"])
def test_a_variable_does_not_take_the_runner_s_own_words(
    classroom: Callable[..., Project], name: str
) -> None:
    lab = f'{{guide: tiny, domain: a.org, students: [ana], vars: {{{name}: "1"}}}}'
    with pytest.raises(ConfigError) as caught:
        classroom(f"labs: {{hello: {lab}}}")
    assert f"`{name}` is a variable that lab sets itself" in caught.value.details


def test_words_that_are_not_the_runner_s_are_passed_over(
    project: Project, ana: Machine, answering: Answering
) -> None:
    answering("echo start here; echo kept secret; echo kept base")
    assert ran(project, ana) == (StepsOutcome(stand=("base",), ran=0), [])


def test_all_went_well(project: Project, ana: Machine, answering: Answering) -> None:
    answering(
        "printf 'kept base\\nstart web\\nended web 0 1.5\\nstart account\\nended account 0 0.1\\n'\n"
        "printf 'start app\\nended app 0 2.0\\n'; echo noise >&2"
    )
    assert ran(project, ana) == (
        StepsOutcome(stand=STEPS, ran=3),
        ["step web 2/4", "step account 3/4", "step app 4/4"],
    )
    log = project.folder.log_of("hello-ana").read_text()
    assert "noise" in log
    assert "ended app 0 2.0" in log


def test_a_step_that_fails_is_told_with_what_it_said(
    project: Project, ana: Machine, answering: Answering
) -> None:
    answering(
        "printf 'kept base\\nkept web\\nstart account\\nended account 17 0.2\\n'\n"
        "seq 20 >&2; printf 'no such \\377user\\n' >&2; exit 17"
    )
    outcome, told = ran(project, ana)
    assert told == ["step account 3/4"]
    assert outcome == StepsOutcome(
        stand=("base", "web"),
        ran=1,
        failed_step="account",
        exit_code=17,
        tail=(*(str(number) for number in range(10, 21)), "no such �user"),
    )


def test_what_the_guest_says_beside_is_not_listened_to(
    project: Project, ana: Machine, answering: Answering
) -> None:
    answering("echo Welcome to this guest; echo kept base; echo; echo ended; echo kept")
    assert ran(project, ana) == (StepsOutcome(stand=("base",), ran=0), [])


def test_a_guest_that_cannot_take_the_kit_is_told(
    project: Project, ana: Machine, answering: Answering
) -> None:
    answering("echo 'tar: no space left' >&2; exit 2")
    with pytest.raises(MachineError) as caught:
        ran(project, ana)
    assert caught.value == MachineError(
        "The steps could not be started on hello-ana",
        details="tar: no space left",
        hint="User vagrant must be allowed all by sudo without a password there; "
        "or make the machine anew: lab destroy hello-ana, lab up hello-ana",
        log=project.folder.log_of("hello-ana"),
    )


def test_a_connection_that_breaks_in_a_step_is_lost(
    project: Project, ana: Machine, answering: Answering
) -> None:
    answering("echo start base; echo 'Connection reset by peer' >&2; exit 255")
    with pytest.raises(ConnectionLost, match="No SSH connection to hello-ana"):
        ran(project, ana)
