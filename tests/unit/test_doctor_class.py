"""What lab keeps of a class, against what there is; and what dead labs have left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from lab.errors import ProcessError
from lab.machines.boxes import catalog
from lab.machines.health import Health
from lab.machines.providers.base import Limit
from lab.system import lock, process
from lab.system.files import LabFolder, temporary_beside, write_json
from lab.workflow.boxes import LOCK_NAME
from lab.workflow.doctor import class_state, leftovers, limits
from lab.workflow.doctor.subject import Subject, subject_of
from lab.workflow.guide_proof import PREFIX
from lab.workflow.project import Project
from lab.workflow.records import Stage, new_record, write_record
from lab.workflow.scratch import own_name
from tests.unit.conftest import FakeProvider, Program

LONG_AGO = time.time() - 86400


@pytest.fixture
def subject(project: Project, provider: FakeProvider) -> Subject:
    """The class of three, none of whose machines has been made."""
    identity = {"id": "c0ffee", "path": str(project.path.resolve())}
    write_json(project.folder.state / "project.json", identity)
    return subject_of(project.path / "labs.yaml", provider)


@pytest.fixture
def folder(subject: Subject) -> LabFolder:
    assert subject.folder is not None
    return subject.folder


@pytest.fixture
def made(project: Project, provider: FakeProvider, folder: LabFolder) -> Callable[[str], None]:
    """Makes a student's machine, as lab would: record, guest and keys."""

    def make(login: str) -> None:
        [machine] = [it for it in project.machines if it.student.login == login]
        write_record(folder, replace(new_record(machine), stage=Stage.READY))
        provider.add(machine.container)
        for kind in ("admin", "host", "student"):
            key = folder.ssh / machine.name / kind
            key.write_text("private\n")
            key.chmod(0o600)

    return make


def old(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (LONG_AGO, LONG_AGO))
    return path


def test_without_a_class_there_is_only_the_computer(tmp_path: Path, provider: FakeProvider) -> None:
    subject = subject_of(tmp_path / "labs.yaml", provider)
    assert (subject.folder, subject.classroom, subject.students) == (None, None, {})
    assert list(tmp_path.iterdir()) == []


def test_a_class_that_is_right(subject: Subject) -> None:
    verdict = class_state.labs_yaml(subject, LabFolder(subject.labs_yaml.parent))
    assert (verdict.outcome, verdict.found) == (Health.OK, "1 lab, 3 machines")
    assert list(subject.students) == ["hello-ana", "hello-luis", "hello-marta"]


def test_a_broken_labs_yaml_is_told_with_its_place(subject: Subject) -> None:
    subject.labs_yaml.write_text("labs: {hello: {studnets: [ana]}}\n")
    broken = subject_of(subject.labs_yaml, subject.provider)
    verdict = class_state.labs_yaml(broken, LabFolder(subject.labs_yaml.parent))
    assert verdict.outcome is Health.PROBLEM
    assert "did you mean `students`" in verdict.found
    # The rest is looked at all the same.
    assert broken.project_id == "c0ffee"
    assert class_state.machines(broken, LabFolder(subject.labs_yaml.parent)).outcome is Health.OK


def test_another_provider_than_the_machines_have(
    subject: Subject, made: Callable[[str], None]
) -> None:
    made("ana")
    labs = subject.labs_yaml
    labs.write_text(f"defaults: {{provider: libvirt}}\n{labs.read_text()}")
    verdict = class_state.labs_yaml(subject_of(labs, subject.provider), LabFolder(labs.parent))
    assert verdict.outcome is Health.PROBLEM
    assert verdict.found.endswith("has machines with another\nlxc: hello-ana")
    assert verdict.fix.startswith("To keep them, write `provider: lxc`.")


def test_labs_on_different_providers_boot_nothing(subject: Subject) -> None:
    labs = subject.labs_yaml
    text = "labs:\n  a: {guide: tiny, domain: e.org, students: [ana], provider: lxc}\n"
    labs.write_text(text + text[6:].replace("a: {", "b: {").replace("lxc", "libvirt"))
    verdict = class_state.labs_yaml(subject_of(labs, subject.provider), LabFolder(labs.parent))
    assert verdict.found == "The labs want different providers: libvirt, lxc"


def test_a_folder_of_its_own(folder: LabFolder) -> None:
    assert class_state.copied(folder).outcome is Health.OK
    (folder.state / "project.json").unlink()
    assert class_state.copied(folder).found == "no machine was made here yet"


def test_a_folder_that_was_moved_or_copied(folder: LabFolder, tmp_path: Path) -> None:
    before = (folder.state / "project.json").read_text()
    original = LabFolder(tmp_path / "original")
    write_json(folder.state / "project.json", {"id": "c0ffee", "path": str(original.project)})
    assert class_state.copied(folder).outcome is Health.NOTE
    original.create()
    (original.state / "project.json").write_text(before)
    verdict = class_state.copied(folder)
    assert verdict.outcome is Health.PROBLEM
    assert verdict.found == f"This folder is a copy of {original.project}, whose machines these are"
    # What nobody may do by itself: it is a class's whole memory.
    assert verdict.commands == ()


def test_damaged_notes_are_all_named(folder: LabFolder, made: Callable[[str], None]) -> None:
    made("ana")
    made("luis")
    assert class_state.state_files(folder).outcome is Health.OK
    folder.machine_state("hello-ana").write_text('{"lab": "he')
    folder.machine_state("hello-luis").write_text('{"lab": "hello"}')
    verdict = class_state.state_files(folder)
    assert (verdict.outcome, verdict.found, verdict.fix) == (
        Health.NOTE,
        "the notes of hello-ana, hello-luis are damaged",
        "lab up writes them anew",
    )
    path = folder.state / "project.json"
    path.write_text('{"id')
    verdict = class_state.state_files(folder)
    assert verdict.outcome is Health.PROBLEM
    assert verdict.fix == f"mv {path} {path}.damaged, then: lab plan"


def test_machines_that_are_as_noted(
    subject: Subject, folder: LabFolder, made: Callable[[str], None]
) -> None:
    made("ana")
    verdict = class_state.machines(subject, folder)
    well = "1 machine, none of them half-made, lost or off the roster"
    assert (verdict.outcome, verdict.found) == (Health.OK, well)
    # `lab plan` calls it ok as well, and `lab up` notes it anew.
    folder.machine_state("hello-ana").write_text('{"lab": "he')
    assert class_state.machines(subject, folder).found == well


def test_machines_that_are_otherwise(
    subject: Subject, folder: LabFolder, made: Callable[[str], None], provider: FakeProvider
) -> None:
    made("ana")
    provider.found.clear()
    provider.add("lab-c0ffee-hello-luis", state="stopped", started=False)
    provider.add("lab-c0ffee-hello-paco")
    provider.add("lab-0ther0-hello-eva")
    verdict = class_state.machines(subject, folder)
    assert verdict.outcome is Health.NOTE
    assert verdict.found.splitlines() == [
        "hello-paco: off the roster (orphans)",
        "hello-luis: never started (made only half, or not of lab's making)",
        "hello-ana: made by lab, and gone",
    ]
    assert verdict.fix.startswith("lab plan")


def test_keys_that_are_there(
    subject: Subject, folder: LabFolder, made: Callable[[str], None]
) -> None:
    made("ana")
    assert class_state.keys(subject, folder).outcome is Health.OK
    key = folder.ssh / "hello-ana/admin"
    key.chmod(0o644)
    verdict = class_state.keys(subject, folder)
    assert verdict.outcome is Health.PROBLEM
    verdict.commands[0].run()
    assert key.stat().st_mode & 0o777 == 0o600
    key.unlink()
    verdict = class_state.keys(subject, folder)
    assert (verdict.outcome, verdict.commands) == (Health.PROBLEM, ())
    assert "lab destroy hello-ana && lab up hello-ana" in verdict.fix


@pytest.mark.usefixtures("everywhere")
def test_a_lock_that_nobody_holds(folder: LabFolder) -> None:
    assert leftovers.lock(folder).found == "free"
    # What a dead holder has written is only text.
    dead = {"pid": 999999999, "operation": "up", "started": "2026-01-01T08:00:00+01:00"}
    folder.lock.write_text(json.dumps(dead))
    verdict = leftovers.lock(folder)
    assert verdict.outcome is Health.OK
    assert verdict.found == "free; the last to hold it was pid 999999999"


def test_a_lock_that_is_held_is_neither_taken_nor_broken(folder: LabFolder) -> None:
    with lock.hold(folder.lock, operation="up"):
        verdict = leftovers.lock(folder)
        assert verdict.outcome is Health.NOTE
        assert verdict.found.startswith(f"held by pid {os.getpid()}: `lab up`, since ")
        text = folder.lock.read_text().replace(str(os.getpid()), "999999999")
        folder.lock.write_text(text)
        assert "is dead" in leftovers.lock(folder).found


@pytest.mark.usefixtures("everywhere")
def test_a_scratch_machine_of_a_dead_lab_is_removed_and_no_student_s(
    subject: Subject, folder: LabFolder, provider: FakeProvider, program: Program
) -> None:
    provider.add("lab-c0ffee-hello-ana")
    provider.add("labbake-0ther0-abc")
    assert leftovers.scratch_machines(subject, folder).outcome is Health.OK
    provider.add("labbake-c0ffee-abc")
    verdict = leftovers.scratch_machines(subject, folder)
    assert verdict.outcome is Health.PROBLEM
    assert list(map(str, verdict.commands)) == [
        "sudo lxc-destroy --force --name labbake-c0ffee-abc"
    ]
    # While a lab is at work, it may be the one that bakes.
    with lock.hold(folder.lock, operation="up"):
        assert leftovers.scratch_machines(subject, folder).outcome is Health.OK


@pytest.mark.usefixtures("everywhere")
def test_a_machine_that_a_guide_was_proven_on_is_told_and_left(provider: FakeProvider) -> None:
    provider.add(own_name(PREFIX))
    provider.add("labproof-of-somebody")
    assert leftovers.proofs(provider).outcome is Health.OK
    provider.add("labproof-999999999-1")
    verdict = leftovers.proofs(provider)
    assert (verdict.outcome, verdict.commands) == (Health.NOTE, ())
    assert "labproof-999999999-1" in verdict.found
    assert verdict.fix.endswith("sudo lxc-destroy --force --name labproof-999999999-1")


BESIDE = """
import sys
from pathlib import Path
from lab.system.files import LabFolder, temporary_beside
temporary_beside(LabFolder(Path(sys.argv[1])).state / "project.json").touch()
"""


def test_half_written_files_go_and_others_stay(folder: LabFolder) -> None:
    with subprocess.Popen([sys.executable, "-c", BESIDE, str(folder.project)]) as dead:
        pass
    [left] = folder.state.glob(f".project.json.{dead.pid}-*.new")
    kept = [
        old(temporary_beside(folder.state / "project.json")),
        old(folder.root / ".gitignore"),
        old(folder.state / ".project.json.x7_ab3qz"),
        old(folder.ssh / "hello-ana/admin"),
    ]
    verdict = leftovers.half_written(folder)
    assert verdict.outcome is Health.NOTE
    with lock.hold(folder.lock, operation="up"):
        assert leftovers.half_written(folder).outcome is Health.OK
    verdict.commands[0].run()
    assert not left.exists()
    assert all(path.exists() for path in kept)
    assert leftovers.half_written(folder).found == "none"


def test_programs_whose_lab_is_dead(
    folder: LabFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers, "_PROCESSES", tmp_path / "proc")
    running = {
        # number: parent, words, folder
        "11": ("1", "/usr/bin/ruby\0/usr/bin/vagrant\0up\0", folder.project),
        "12": ("1", f"ssh\0-F\0{folder.ssh}/config\0", tmp_path),
        "13": ("500", "/usr/bin/ruby\0/usr/bin/vagrant\0up\0", folder.project),
        "14": ("1", "/usr/bin/ruby\0/usr/bin/vagrant\0up\0", tmp_path),
        "15": ("1", "bash\0", folder.project),
        "500": ("1", "python\0-m\0lab\0", folder.project),
    }
    for number, (parent, words, cwd) in running.items():
        place = tmp_path / "proc" / number
        place.mkdir(parents=True)
        (place / "stat").write_text(f"{number} (a) b) S {parent} {number} {number} 0")
        (place / "comm").write_text("python\n")
        (place / "cmdline").write_text(words)
        (place / "cwd").symlink_to(cwd)
    verdict = leftovers.orphan_processes(folder)
    assert verdict.outcome is Health.NOTE
    assert verdict.fix == "Wait for them to end, or: kill 11 12"
    with lock.hold(folder.lock, operation="up"):
        assert leftovers.orphan_processes(folder).outcome is Health.OK


def test_builds_that_nobody_is_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    builds, running = tmp_path / "tmp", tmp_path / "proc/7"
    running.mkdir(parents=True)
    monkeypatch.setattr(leftovers, "_PROCESSES", tmp_path / "proc")
    for name in ("dead", "busy", "young"):
        (builds / f"lab-box-debian-12-{name}").mkdir(parents=True)
    for name in ("dead", "busy"):
        old(builds / f"lab-box-debian-12-{name}")
    (running / "cmdline").write_text(f"debootstrap\0{builds}/lab-box-debian-12-busy/root\0")
    # Who builds boxes is root, or becomes root for a command.
    monkeypatch.setattr(process, "as_root", list)
    boxes_lock = catalog.vagrant_home() / LOCK_NAME
    verdict = leftovers.box_builds(builds)
    assert verdict.outcome is Health.NOTE
    assert list(map(str, verdict.commands)) == [
        f"flock --nonblock {boxes_lock} rm -rf --one-file-system {builds}/lab-box-debian-12-dead"
    ]
    with lock.hold(boxes_lock, operation="box build"), pytest.raises(ProcessError):
        verdict.commands[0].run()
    assert len(list(builds.iterdir())) == 3
    verdict.commands[0].run()
    assert len(list(builds.iterdir())) == 2


def test_boxes_on_their_way_to_a_stick_that_nobody_carries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert leftovers.stick_work(tmp_path).found == "none"
    left = tmp_path / "lab-stick-999999999-123-abcd_123"
    alive = tmp_path / f"{own_name('lab-stick-')}-abcd_123"
    for folder in (left, alive, tmp_path / "lab-stick-of-my-own"):
        folder.mkdir()
    verdict = leftovers.stick_work(tmp_path)
    assert verdict.outcome is Health.NOTE
    assert verdict.found == f"1 folder of `lab box export` or `import` that were killed: {left}"
    assert list(map(str, verdict.commands)) == [f"sudo rm -rf --one-file-system {left}"]
    monkeypatch.setattr(process, "as_root", list)
    verdict.commands[0].run()
    assert len(list(tmp_path.iterdir())) == 2
    assert leftovers.stick_work(tmp_path).found == "none"


def test_roots_that_nobody_finished(tmp_path: Path) -> None:
    assert leftovers.half_unpacked(tmp_path).found == "none"
    roots = tmp_path / ".lab-roots"
    for name in ("debian-12-abc", "debian-12-def.part"):
        (roots / name).mkdir(parents=True)
    with lock.hold(roots / "lock", operation="unpacking"):
        assert leftovers.half_unpacked(tmp_path).found == "one is being unpacked now"
    verdict = leftovers.half_unpacked(tmp_path)
    assert verdict.outcome is Health.NOTE
    assert list(map(str, verdict.commands)) == [
        f"sudo flock --nonblock {roots}/lock rm -rf --one-file-system {roots}/debian-12-def.part"
    ]
    with lock.hold(roots / "lock", operation="unpacking"), pytest.raises(ProcessError):
        verdict.commands[0].run()
    assert (roots / "debian-12-def.part").exists()
    verdict.commands[0].run()
    assert sorted(path.name for path in roots.iterdir()) == ["debian-12-abc", "lock"]


def limit(name: str, free: float, hint: str = "") -> Limit:
    return Limit(name=name, unit="", free=free, of=128, hint=hint)


SYSCTL = "sudo sysctl -w fs.inotify.max_user_instances={total}   (to keep it: echo it)"


def test_a_class_that_fits(subject: Subject, provider: FakeProvider) -> None:
    provider.limits = (limit("inotify", 3, SYSCTL), limit("addresses", 3))
    assert limits.kernel_limits(subject).outcome is Health.OK
    assert limits.class_fits(subject).found == "enough for 3 more machines"


def test_a_kernel_s_limit_is_raised_by_a_safe_command(
    subject: Subject, provider: FakeProvider
) -> None:
    provider.limits = (limit("inotify", 2, SYSCTL), limit("addresses", 2, "a larger network"))
    verdict = limits.kernel_limits(subject)
    assert verdict.outcome is Health.PROBLEM
    assert verdict.found == "inotify: 3 machines need 3, 2 are free"
    assert list(map(str, verdict.commands)) == ["sudo sysctl -w fs.inotify.max_user_instances=1024"]
    assert "to keep it: echo it" in verdict.why
    other = limits.class_fits(subject)
    assert (other.outcome, other.fix, other.commands) == (Health.PROBLEM, "a larger network", ())


def test_machines_that_run_take_nothing_more(subject: Subject, provider: FakeProvider) -> None:
    provider.limits = (limit("addresses", 0),)
    for login in ("ana", "luis", "marta"):
        provider.add(f"lab-c0ffee-hello-{login}")
    assert limits.class_fits(subject).found == "all machines run"
    # One that is stopped has its address.
    provider.add("lab-c0ffee-hello-ana", state="stopped")
    assert limits.class_fits(subject).outcome is Health.OK


def test_without_a_class_a_usual_one_is_told_of_in_a_note(
    tmp_path: Path, provider: FakeProvider
) -> None:
    nobody = subject_of(tmp_path / "labs.yaml", provider)
    provider.limits = (limit("inotify", 16, SYSCTL),)
    verdict = limits.kernel_limits(nobody)
    assert verdict.outcome is Health.NOTE
    assert "For a class of 30" in verdict.found
    assert verdict.commands
    assert limits.class_fits(nobody).outcome is Health.UNKNOWN
