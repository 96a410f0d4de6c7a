"""Bringing machines up: what is left alone, what is done, and whose failure it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lab.classroom.results import MachineOutcome
from lab.errors import ConnectionLost, LabError, UsageError
from lab.machines.fleet import Machine
from lab.machines.kit import StepsOutcome
from lab.workflow import boot as boot_module
from lab.workflow import up as module
from lab.workflow.project import Project
from lab.workflow.records import read_record, write_record
from lab.workflow.up import UpOptions, bring_up, check_steps


@dataclass
class World:
    """Vagrant and the guests, as a test wants them to be."""

    project: Project
    failures: dict[str, str] = field(default_factory=dict)
    lines: list[tuple[str, str]] = field(default_factory=list)
    broken: LabError | None = None
    without_address: set[str] = field(default_factory=set)
    steps: dict[str, StepsOutcome | Exception] = field(default_factory=dict)
    booted: list[list[str]] = field(default_factory=list)
    provisioned: dict[str, dict[str, Any]] = field(default_factory=dict)
    boxes: list[str] = field(default_factory=list)
    deaf: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    let_go: threading.Event | None = None
    tried: dict[str, int] = field(default_factory=dict)

    def vagrant_up(
        self, names: Sequence[str], *, on_line: Callable[[str, str], None], **_: object
    ) -> dict[str, str]:
        self.booted.append(list(names))
        if self.broken:
            raise self.broken
        for name, line in self.lines:
            on_line(name, line)
        for name in names:
            if name not in self.failures:
                on_line(name, "Waiting for machine to boot.")
                ip = "" if name in self.without_address else "10.0.3.1"
                self.project.provider.add(f"lab-c0ffee-{name}", ip=ip)
        if self.let_go is not None:
            assert self.let_go.wait(10), "nobody worked while Vagrant did"
            time.sleep(0.3)
        return self.failures

    def listens(self, address: str) -> bool:
        self.asked.append(address)
        return address not in self.deaf

    def run_steps(
        self, machine: Machine, _: object, packed: bytes, *, tell: Callable[[str], None], **how: Any
    ) -> StepsOutcome:
        assert packed
        self.provisioned[machine.name] = how
        self.tried[machine.name] = self.tried.get(machine.name, 0) + 1
        if self.let_go is not None and machine.name == "hello-ana":
            self.let_go.set()
        tell("step base 1/4")
        outcome = self.steps.get(machine.name, StepsOutcome(done=4, ran=4))
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


@pytest.fixture
def world(project: Project, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(project)

    class FakeVagrant:
        def __init__(self, *_: object, **__: object) -> None:
            self.up = world.vagrant_up

    monkeypatch.setattr(boot_module, "Vagrant", FakeVagrant)
    monkeypatch.setattr(module, "ensure_boxes", lambda boxes, **_: world.boxes.extend(boxes))
    monkeypatch.setattr(boot_module.ssh, "listens", world.listens)
    monkeypatch.setattr(boot_module, "_SSH_TIMEOUT_S", 0.3)
    monkeypatch.setattr(module.kit, "run_steps", world.run_steps)
    return world


def up(world: World, witness: Any, **options: Any) -> dict[str, MachineOutcome]:
    outcomes = bring_up(
        world.project, world.project.machines, observer=witness, options=UpOptions(**options)
    )
    assert [outcome.machine for outcome in outcomes] == [it.name for it in world.project.machines]
    return {outcome.login: outcome for outcome in outcomes}


def test_a_class_from_nothing(world: World, witness: Any) -> None:
    project = world.project
    outcomes = up(world, witness)
    assert outcomes["ana"] == MachineOutcome(
        machine="hello-ana",
        lab="hello",
        login="ana",
        ok=True,
        changed=True,
        log=str(project.folder.log_of("hello-ana")),
        ip="10.0.3.1",
        url="http://tiny.ana.example.org/",
        seconds=outcomes["ana"].seconds,
    )
    assert all(outcome.ok and outcome.changed for outcome in outcomes.values())
    assert world.booted == [["hello-ana", "hello-luis", "hello-marta"]]
    assert world.boxes == ["debian-12"] * 3
    assert world.provisioned == {
        machine.name: {"force": False, "only": ()} for machine in project.machines
    }
    record = read_record(project.folder, "hello-ana")
    assert record is not None
    assert (record.ip, record.step, record.steps_done, record.failed) == (
        "10.0.3.1",
        "app",
        4,
        False,
    )
    assert (project.path / "Vagrantfile").exists()
    assert "Host hello-marta.student\n" in (project.folder.ssh / "config").read_text()
    assert witness.of_kind("started") == [(3, "bringing up")]
    assert len(witness.of_kind("done")) == 3
    assert len(witness.of_kind("finished")) == 1


def test_what_is_there_already_is_left_alone(world: World, witness: Any) -> None:
    for machine in world.project.machines:
        world.project.provider.add(machine.container)
        world.steps[machine.name] = StepsOutcome(done=4, ran=0)
    outcomes = up(world, witness)
    assert world.booted == []
    assert all(outcome.ok and not outcome.changed for outcome in outcomes.values())
    assert {summary for _, _, summary in witness.of_kind("done")} == {"nothing to do"}


def test_only_what_does_not_run_is_booted(world: World, witness: Any) -> None:
    ana, luis, _ = world.project.machines
    world.project.provider.add(ana.container)
    world.project.provider.add(luis.container, state="stopped")
    world.project.provider.seeded.add(luis.container)
    for machine in world.project.machines:
        world.steps[machine.name] = StepsOutcome(done=4, ran=0)
    outcomes = up(world, witness)
    assert world.booted == [["hello-luis", "hello-marta"]]
    assert [outcome.changed for outcome in outcomes.values()] == [False, True, True]


def test_one_student_s_failed_step_is_that_student_s(world: World, witness: Any) -> None:
    world.steps["hello-luis"] = StepsOutcome(
        done=2, ran=3, failed_step="account", exit_code=9, tail=("no", "such user")
    )
    outcomes = up(world, witness)
    assert [outcome.ok for outcome in outcomes.values()] == [True, False, True]
    luis = outcomes["luis"]
    assert (luis.failed_step, luis.message, luis.tail, luis.retry) == (
        "account",
        "step account ended with exit code 9",
        ("no", "such user"),
        "lab up hello/luis",
    )
    record = read_record(world.project.folder, "hello-luis")
    assert record is not None
    assert (record.step, record.steps_done, record.failed) == ("account", 2, True)


@pytest.mark.parametrize(
    ("error", "message", "tail"),
    [
        (ConnectionLost("No SSH", details="No route\nat all"), "No SSH", ("No route", "at all")),
        (KeyError("x"), "lab met a bug of its own: KeyError('x')", ()),
    ],
)
def test_whatever_happens_on_one_machine_the_others_go_on(
    world: World, witness: Any, error: Exception, message: str, tail: tuple[str, ...]
) -> None:
    world.steps["hello-ana"] = error
    outcomes = up(world, witness, jobs=1)
    assert [outcome.ok for outcome in outcomes.values()] == [False, True, True]
    assert (outcomes["ana"].message, outcomes["ana"].tail) == (message, tail)
    assert outcomes["ana"].retry == "lab up hello/ana"
    assert (("hello-ana", False, message)) in witness.of_kind("done")


def test_one_that_does_not_boot_is_not_provisioned(world: World, witness: Any) -> None:
    world.lines = [("hello-ana", "Importing base box 'x'..."), ("hello-nobody", "hm")]
    world.failures = {"hello-ana": "There was an error\nin LXC", "hello-nobody": "hm"}
    outcomes = up(world, witness)
    assert [outcome.ok for outcome in outcomes.values()] == [False, True, True]
    assert (outcomes["ana"].message, outcomes["ana"].tail) == ("There was an error", ("in LXC",))
    assert sorted(world.provisioned) == ["hello-luis", "hello-marta"]
    log = world.project.folder.log_of("hello-ana").read_text()
    assert log == "Importing base box 'x'...\nThere was an error\nin LXC\n"
    assert ("hello-ana", False, "There was an error") in witness.of_kind("done")
    record = read_record(world.project.folder, "hello-ana")
    assert record is not None
    assert record.failed


def test_one_that_vagrant_thinks_is_up_and_has_no_address(world: World, witness: Any) -> None:
    world.without_address = {"hello-luis"}
    outcomes = up(world, witness)
    assert outcomes["luis"].message == "it is running, without an address"
    assert sorted(world.provisioned) == ["hello-ana", "hello-marta"]


def test_a_vagrant_that_cannot_be_used_ends_the_run(world: World, witness: Any) -> None:
    world.broken = LabError("the machine index is damaged")
    with pytest.raises(LabError, match="machine index"):
        up(world, witness)
    assert world.provisioned == {}


def test_steps_run_on_one_machine_while_another_still_boots(world: World, witness: Any) -> None:
    ana, luis, marta = world.project.machines
    for number, machine in enumerate((ana, luis, marta), start=7):
        world.project.provider.addresses[machine.container] = f"10.0.3.{number}/24"
    world.let_go = threading.Event()
    # Vagrant ends only when ana's steps have been run.
    world.steps["hello-ana"] = StepsOutcome(done=4, ran=4)
    outcomes = up(world, witness)
    assert all(outcome.ok for outcome in outcomes.values())
    assert [outcome.ip for outcome in outcomes.values()] == ["10.0.3.7", "10.0.3.8", "10.0.3.9"]
    assert (ana.keys.folder / "address").read_text() == "10.0.3.7/24\n"
    assert (ana.keys.folder / "resolv.conf").read_text() == "nameserver 10.0.3.1\n"
    assert "'10.0.3.7'" in (world.project.path / "Vagrantfile").read_text()


def test_one_that_lets_nobody_in_yet_has_as_long_as_vagrant_gives_it(
    world: World, witness: Any
) -> None:
    for number, machine in enumerate(world.project.machines, start=7):
        world.project.provider.addresses[machine.container] = f"10.0.3.{number}/24"
    world.let_go = threading.Event()
    world.steps["hello-ana"] = ConnectionLost("System is booting up")
    outcomes = up(world, witness)
    assert outcomes["ana"].message == "System is booting up"
    assert world.tried["hello-ana"] == 2
    assert [outcome.ok for outcome in outcomes.values()] == [False, True, True]


def test_without_steps_vagrant_has_the_last_word(world: World, witness: Any) -> None:
    for number, machine in enumerate(world.project.machines, start=7):
        world.project.provider.addresses[machine.container] = f"10.0.3.{number}/24"
    world.failures = {"hello-luis": "no SSH for Vagrant"}
    world.lines = [("hello-luis", "Waiting for machine to boot.")]
    outcomes = up(world, witness, provision=False)
    assert outcomes["luis"].message == "no SSH for Vagrant"
    assert [outcome.ok for outcome in outcomes.values()] == [True, False, True]


def test_one_whose_ssh_server_never_answers_is_given_up(world: World, witness: Any) -> None:
    for number, machine in enumerate(world.project.machines, start=7):
        world.project.provider.addresses[machine.container] = f"10.0.3.{number}/24"
    world.deaf = {"10.0.3.8"}
    outcomes = up(world, witness)
    assert outcomes["luis"].message == "it boots, and its SSH server does not answer"
    assert [outcome.ok for outcome in outcomes.values()] == [True, False, True]


def test_an_address_that_is_no_longer_given_is_forgotten(world: World, witness: Any) -> None:
    ana = world.project.machines[0]
    for name in ("address", "resolv.conf"):
        (ana.keys.folder / name).write_text("10.0.3.99/24\n")
    up(world, witness)
    assert not (ana.keys.folder / "address").exists()
    assert not (ana.keys.folder / "resolv.conf").exists()


def test_a_failure_to_boot_keeps_what_was_known_of_the_steps(world: World, witness: Any) -> None:
    write_record(world.project.folder, world.project.machines[0], step="web", steps_done=2)
    world.failures = {"hello-ana": "no"}
    up(world, witness)
    record = read_record(world.project.folder, "hello-ana")
    assert record is not None
    assert (record.step, record.steps_done, record.failed) == ("web", 2, True)


def test_machines_without_their_steps(world: World, witness: Any) -> None:
    outcomes = up(world, witness, provision=False)
    assert world.provisioned == {}
    assert all(outcome.ok and outcome.changed for outcome in outcomes.values())
    assert read_record(world.project.folder, "hello-ana") is not None


def test_steps_without_booting(world: World, witness: Any) -> None:
    ana, luis, _ = world.project.machines
    world.project.provider.add(ana.container)
    world.project.provider.add(luis.container, state="stopped")
    outcomes = up(world, witness, boot=False, force=True, only=("app",))
    assert world.booted == []
    assert world.boxes == []
    assert world.provisioned == {"hello-ana": {"force": True, "only": ("app",)}}
    assert [outcome.message for outcome in outcomes.values()] == [
        "",
        "it is stopped",
        "there is no such machine",
    ]


def test_a_run_of_one_step_says_nothing_of_the_others(world: World, witness: Any) -> None:
    write_record(world.project.folder, world.project.machines[0], step="app", steps_done=4)
    world.steps["hello-ana"] = StepsOutcome(done=1, ran=1)
    up(world, witness, only=("web",))
    record = read_record(world.project.folder, "hello-ana")
    assert record is not None
    assert record.steps_done == 4


def note_of(project: Project, machine: str) -> Path:
    return project.path / ".vagrant" / "machines" / machine / "lxc" / "id"


def test_a_guest_that_was_never_started_is_made_anew(world: World, witness: Any) -> None:
    ana = world.project.machines[0]
    world.project.provider.add(ana.container, state="stopped")
    up(world, witness)
    assert world.project.provider.removed == [ana.container]


def test_a_guest_that_may_hold_work_is_given_back_to_vagrant(world: World, witness: Any) -> None:
    ana, luis, _ = world.project.machines
    for machine in (ana, luis):
        world.project.provider.add(machine.container, state="stopped")
        world.project.provider.seeded.add(machine.container)
    note = note_of(world.project, luis.name)
    note.parent.mkdir(parents=True)
    note.write_text(luis.container)
    up(world, witness)
    assert world.project.provider.removed == []
    assert note_of(world.project, ana.name).read_text() == ana.container
    assert note.read_text() == luis.container


def test_a_step_that_no_guide_has_is_refused(project: Project) -> None:
    check_steps(project.machines, ["web", "app"])
    with pytest.raises(UsageError) as caught:
        check_steps(project.machines, ["web", "wab"])
    assert caught.value == UsageError(
        "No guide here has a step 'wab'", details="Steps: base, web, account, app"
    )
