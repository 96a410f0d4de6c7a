"""Bringing machines up: what is left alone, what is done, and whose failure it is."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from lab.classroom.results import MachineOutcome
from lab.errors import ConnectionLost, HostError, LabError, UsageError
from lab.machines.boxes.catalog import vagrant_home
from lab.machines.fleet import Machine
from lab.machines.kit import StepsOutcome
from lab.machines.providers.base import Limit
from lab.machines.vagrant import VagrantKilled
from lab.system import lock, process
from lab.workflow import boot as boot_module
from lab.workflow import pace as pace_module
from lab.workflow import run as run_module
from lab.workflow import up as module
from lab.workflow.pace import Load
from lab.workflow.plan import Survey
from lab.workflow.project import Project
from lab.workflow.reconcile import find
from lab.workflow.records import (
    MachineRecord,
    Stage,
    all_records,
    new_record,
    read_record,
    write_record,
)
from lab.workflow.run import Interruption, UpOptions
from lab.workflow.up import bring_up, check_steps
from tests.unit.conftest import is_held

IDLE = Load(processors=4, load=0.0, free_mb=100_000)
STEPS = ("base", "web", "account", "app")


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

    def call_vagrant(self, *words: Any, **options: Any) -> dict[str, str]:
        return self.vagrant_up(*words, **options)

    def call_run_steps(self, *words: Any, **how: Any) -> StepsOutcome:
        return self.run_steps(*words, **how)

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

    def listens(self, address: str, port: int = 22, *, timeout_s: float = 1.0) -> bool:
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
        outcome = self.steps.get(machine.name, StepsOutcome(stand=STEPS, ran=4))
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


@pytest.fixture
def world(project: Project, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(project)

    class FakeVagrant:
        def __init__(self, *_: object, **__: object) -> None:
            self.up = world.call_vagrant

    monkeypatch.setattr(boot_module, "Vagrant", FakeVagrant)
    monkeypatch.setattr(module, "ensure_boxes", lambda boxes, **_: world.boxes.extend(boxes))
    monkeypatch.setattr(boot_module.ssh, "listens", world.listens)
    monkeypatch.setattr(boot_module, "_SSH_TIMEOUT_S", 0.3)
    monkeypatch.setattr(run_module.kit, "run_steps", world.call_run_steps)
    monkeypatch.setattr(pace_module, "look_at_host", lambda: IDLE)
    return world


def up(world: World, witness: Any, **options: Any) -> dict[str, MachineOutcome]:
    outcomes = bring_up(
        world.project, world.project.machines, observer=witness, options=UpOptions(**options)
    )
    assert [outcome.machine for outcome in outcomes] == [it.name for it in world.project.machines]
    return {outcome.login: outcome for outcome in outcomes}


def test_what_the_provider_cannot_prepare_is_that_machines_trouble(
    world: World, witness: Any
) -> None:
    world.project.provider.unprepared = {"lab-c0ffee-hello-luis": "its disk is in the way"}
    outcomes = up(world, witness)
    assert {login: it.ok for login, it in outcomes.items()} == {
        "ana": True,
        "luis": False,
        "marta": True,
    }
    assert "hello-luis" not in [name for names in world.booted for name in names]
    assert "its disk is in the way" in str(outcomes["luis"])


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
    assert (record.ip, tuple(record.steps), record.failed_step, record.stage, record.made_of) == (
        "10.0.3.1",
        STEPS,
        "",
        Stage.READY,
        "debian-12",
    )
    assert (project.path / "Vagrantfile").exists()
    assert "Host hello-marta.student\n" in (project.folder.ssh / "config").read_text()
    assert witness.of_kind("started") == [(3, "bringing up")]
    assert len(witness.of_kind("done")) == 3
    assert len(witness.of_kind("finished")) == 1


def test_what_is_worth_knowing_of_the_provider_is_told_before_machines_boot(
    world: World, witness: Any
) -> None:
    world.project.provider.said = ("Machines are emulated here.",)
    up(world, witness)
    assert witness.told[0] == ("note", "Machines are emulated here.")
    witness.told.clear()
    up(world, witness)
    assert witness.of_kind("note") == []


def test_what_is_there_already_is_left_alone(world: World, witness: Any) -> None:
    for machine in world.project.machines:
        world.project.provider.add(machine.container)
        world.steps[machine.name] = StepsOutcome(stand=STEPS, ran=0)
    outcomes = up(world, witness)
    assert world.booted == []
    assert all(outcome.ok and not outcome.changed for outcome in outcomes.values())
    assert {summary for _, _, summary in witness.of_kind("done")} == {"nothing to do"}


def test_only_what_does_not_run_is_booted(world: World, witness: Any) -> None:
    ana, luis, _ = world.project.machines
    world.project.provider.add(ana.container)
    world.project.provider.add(luis.container, state="stopped")
    for machine in world.project.machines:
        world.steps[machine.name] = StepsOutcome(stand=STEPS, ran=0)
    outcomes = up(world, witness)
    assert world.booted == [["hello-luis", "hello-marta"]]
    assert [outcome.changed for outcome in outcomes.values()] == [False, True, True]


def test_those_that_run_are_kept_apart_again(world: World, witness: Any) -> None:
    world.project.provider.add("lab-c0ffee-hello-luis")
    world.project.provider.add("lab-c0ffee-hello-marta")
    machines = [it for it in world.project.machines if it.student.login == "luis"]
    bring_up(world.project, machines, observer=witness, options=UpOptions())
    assert world.booted == []
    assert world.project.provider.kept_apart == ["lab-c0ffee-hello-luis", "lab-c0ffee-hello-marta"]


def test_a_step_that_took_too_long_is_called_that(world: World, witness: Any) -> None:
    world.steps["hello-luis"] = StepsOutcome(stand=(), ran=1, failed_step="web", exit_code=124)
    assert up(world, witness)["luis"].message == "step web ran out of time"


def test_one_student_s_failed_step_is_that_student_s(world: World, witness: Any) -> None:
    world.steps["hello-luis"] = StepsOutcome(
        stand=("base", "web"), ran=3, failed_step="account", exit_code=9, tail=("no", "such user")
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
    assert (record.failed_step, tuple(record.steps)) == ("account", ("base", "web"))
    assert record.stage is Stage.FAILED


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
    assert record.stage is Stage.FAILED


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
    world.steps["hello-ana"] = StepsOutcome(stand=STEPS, ran=4)
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


def noted(world: World, machine: Machine, *steps: str, **changes: Any) -> MachineRecord:
    """A machine that was made before, with these steps done."""
    stood = {step.name: step.digest for step in machine.steps if step.name in steps}
    record = replace(new_record(machine), stage=Stage.READY, steps=stood, **changes)
    write_record(world.project.folder, record)
    return record


def test_a_failure_to_boot_keeps_what_was_known_of_the_steps(world: World, witness: Any) -> None:
    ana = world.project.machines[0]
    world.project.provider.add(ana.container, state="stopped")
    before = noted(world, ana, "base", "web")
    world.failures = {"hello-ana": "no"}
    up(world, witness)
    record = read_record(world.project.folder, "hello-ana")
    assert record is not None
    assert (record.failed_step, record.steps, record.stage) == ("", before.steps, Stage.FAILED)


def test_what_is_made_is_noted_before_it_is_begun(world: World, witness: Any) -> None:
    seen = []
    boot = world.vagrant_up

    def look(*words: Any, **options: Any) -> dict[str, str]:
        records = all_records(world.project.folder)
        seen.append({name: record.stage for name, record in records.items()})
        return boot(*words, **options)

    world.vagrant_up = look  # type: ignore[method-assign]
    up(world, witness)
    assert seen == [
        dict.fromkeys(("hello-ana", "hello-luis", "hello-marta"), Stage.CREATING),
    ]


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
    ana = world.project.machines[0]
    world.project.provider.add(ana.container)
    before = noted(world, ana, *STEPS)
    world.steps["hello-ana"] = StepsOutcome(stand=("web",), ran=1)
    up(world, witness, only=("web",))
    record = read_record(world.project.folder, "hello-ana")
    assert record is not None
    assert (record.steps, record.stage) == (before.steps, Stage.READY)


def test_a_guest_that_was_never_started_is_made_anew(world: World, witness: Any) -> None:
    ana = world.project.machines[0]
    write_record(world.project.folder, new_record(ana))
    world.project.provider.add(ana.container, state="stopped", started=False)
    up(world, witness)
    assert world.project.provider.removed == [ana.container]


def test_a_guest_that_lab_noted_as_made_is_started_and_never_removed(
    world: World, witness: Any
) -> None:
    ana = world.project.machines[0]
    noted(world, ana)
    world.project.provider.add(ana.container, state="stopped", started=False)
    assert up(world, witness)["ana"].ok
    assert world.project.provider.removed == []
    assert ana.name in world.booted[0]


def test_a_guest_that_lab_did_not_make_is_never_touched(world: World, witness: Any) -> None:
    ana = world.project.machines[0]
    for state in ("stopped", "running"):
        world.project.provider.add(ana.container, state=state, started=False)
        outcomes = up(world, witness)
        assert outcomes["ana"].message == (
            "lab did not make the guest lab-c0ffee-hello-ana, and leaves it alone"
        )
        assert [outcome.ok for outcome in outcomes.values()] == [False, True, True]
    assert world.project.provider.removed == []
    assert "hello-ana" not in world.provisioned
    # A note would make it lab's own the next time.
    assert read_record(world.project.folder, "hello-ana") is None


def test_a_machine_of_another_box_is_left_as_it_is(world: World, witness: Any) -> None:
    ana = world.project.machines[0]
    world.project.provider.add(ana.container)
    before = noted(world, ana, *STEPS, made_of="debian-11")
    outcomes = up(world, witness)
    assert outcomes["ana"].message == "it was made of the box debian-11; labs.yaml says debian-12"
    assert outcomes["ana"].retry == "lab up --recreate hello/ana"
    assert sorted(world.provisioned) == ["hello-luis", "hello-marta"]
    assert read_record(world.project.folder, "hello-ana") == before


def test_a_vagrant_that_is_killed_is_started_for_each_of_the_rest(
    world: World, witness: Any
) -> None:
    boot = world.vagrant_up

    def die(names: Sequence[str], **options: Any) -> dict[str, str]:
        if len(names) > 1 or "hello-luis" in names:
            world.booted.append(list(names))
            raise VagrantKilled("`vagrant up` was killed by SIGKILL", details="in the middle")
        return boot(names, **options)

    world.vagrant_up = die  # type: ignore[method-assign]
    outcomes = up(world, witness)
    assert world.booted == [
        ["hello-ana", "hello-luis", "hello-marta"],
        ["hello-ana"],
        ["hello-luis"],
        ["hello-marta"],
    ]
    assert [outcome.ok for outcome in outcomes.values()] == [True, False, True]
    assert (outcomes["luis"].message, outcomes["luis"].tail, outcomes["luis"].retry) == (
        "`vagrant up` was killed by SIGKILL",
        ("in the middle",),
        "lab up hello/luis",
    )


def test_a_busy_host_boots_fewer_at_a_time(
    world: World, witness: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = Load(processors=1, load=0.0, free_mb=2.5 * world.project.provider.boot_memory_mb)
    monkeypatch.setattr(pace_module, "look_at_host", lambda: short)
    assert all(outcome.ok for outcome in up(world, witness).values())
    assert world.booted == [["hello-ana", "hello-luis"], ["hello-marta"]]


def test_a_class_that_does_not_fit_is_not_begun(world: World, witness: Any) -> None:
    world.project.provider.limits = (Limit(name="seats", unit="", free=2, of=9),)
    with pytest.raises(HostError, match="2 of 3 machines fit"):
        up(world, witness)
    assert (world.booted, world.boxes) == ([], [])
    assert all_records(world.project.folder) == {}


def test_those_that_fit_are_started_when_that_is_said(world: World, witness: Any) -> None:
    world.project.provider.limits = (Limit(name="seats", unit="", free=2, of=9),)
    outcomes = up(world, witness, fit=True)
    assert [outcome.ok for outcome in outcomes.values()] == [True, True, False]
    assert outcomes["marta"].message == "there is no room for it on this computer"
    assert world.booted == [["hello-ana", "hello-luis"]]


def test_what_runs_already_needs_no_room(world: World, witness: Any) -> None:
    world.project.provider.limits = (Limit(name="seats", unit="", free=0, of=9),)
    for machine in world.project.machines:
        world.project.provider.add(machine.container)
    assert all(outcome.ok for outcome in up(world, witness).values())


@pytest.mark.parametrize("state", ["running", "stopped"])
def test_what_the_provider_cannot_have_is_refused_before_anything_is_destroyed(
    world: World, witness: Any, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    destroyed: list[str] = []
    monkeypatch.setattr(module, "destroy", lambda _, gone, **__: destroyed.extend(gone))
    provider, ana = world.project.provider, world.project.machines[0]
    provider.impossible = HostError("it cannot keep them from the internet")
    provider.add(ana.container, state=state)
    for doomed in (["hello-ana"], []):
        with pytest.raises(HostError, match="from the internet"):
            bring_up(
                world.project,
                world.project.machines,
                observer=witness,
                options=UpOptions(),
                doomed=doomed,
            )
    assert (destroyed, world.boxes, world.booted) == ([], [], [])
    assert all_records(world.project.folder) == {}
    # What runs already and stays as it is asks for nothing.
    alone = bring_up(world.project, [ana], observer=witness, options=UpOptions(boot=False))
    assert [it.ok for it in alone] == [state == "running"]
    guests = provider.guests(world.project.prefix)
    seen = Survey(guests=guests, found=find(world.project, [ana], guests), reports={})
    refusal = module.refusal_for(world.project, seen, doomed=[])
    assert refusal == (None if state == "running" else provider.impossible)


@pytest.mark.parametrize(("recreate", "counted"), [(False, 1), (True, 2)])
def test_what_is_refused_needs_no_room(world: World, recreate: bool, counted: int) -> None:
    ana, luis, _ = world.project.machines
    world.project.provider.add(ana.container, state="stopped", started=False)
    world.project.provider.add(luis.container, state="stopped")
    write_record(world.project.folder, replace(new_record(luis), made_of="debian-11"))
    room = module.room_for(world.project, world.project.machines, recreate=recreate)
    assert (room.fit, room.of) == (counted, counted)


def note_of(project: Project, machine: str) -> Path:
    return project.path / ".vagrant" / "machines" / machine / "lxc" / "id"


def test_a_guest_that_may_hold_work_is_given_back_to_vagrant(world: World, witness: Any) -> None:
    ana, luis, _ = world.project.machines
    for machine in (ana, luis):
        world.project.provider.add(machine.container, state="stopped")
    note = note_of(world.project, luis.name)
    note.parent.mkdir(parents=True)
    note.write_text(luis.container)
    up(world, witness)
    assert world.project.provider.removed == []
    assert note_of(world.project, ana.name).read_text() == ana.container
    assert note.read_text() == luis.container


def test_an_interruption_says_how_far_each_machine_came(world: World, witness: Any) -> None:
    stopped: list[str] = []

    def stop(machine: Machine, _: object, packed: bytes, **__: Any) -> StepsOutcome:
        if machine.name == "hello-ana":
            return StepsOutcome(stand=STEPS, ran=4)
        if not stopped:
            stopped.append(machine.name)
            signal.raise_signal(signal.SIGINT)
        process.pause(10)
        raise AssertionError("nobody stopped this")

    world.run_steps = stop  # type: ignore[method-assign]
    try:
        with pytest.raises(Interruption) as caught:
            up(world, witness, jobs=1)
    finally:
        process.allow_again()
    outcomes = caught.value.outcomes
    assert sorted(outcomes) == ["hello-ana", "hello-luis", "hello-marta"]
    interrupted = [it for it in outcomes.values() if it.message == "it was interrupted"]
    assert len(interrupted) >= 1
    assert all(it.retry == f"lab up hello/{it.login}" for it in interrupted)
    # They are what `lab up --retry-failed` takes up.
    records = all_records(world.project.folder)
    assert {records[it.machine].stage for it in interrupted} == {Stage.FAILED}


def test_a_step_that_no_guide_has_is_refused(project: Project) -> None:
    check_steps(project.machines, ["web", "app"])
    with pytest.raises(UsageError) as caught:
        check_steps(project.machines, ["web", "wab"])
    assert caught.value == UsageError(
        "No guide here has a step 'wab'", details="Steps: base, web, account, app"
    )


def test_a_guest_that_dies_as_it_boots_is_not_waited_for_to_the_last(
    world: World, witness: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boot_module, "_LOOK_AFTER_S", 0.0)
    monkeypatch.setattr(boot_module, "_LOOK_EVERY_S", 0.1)
    machines = world.project.machines
    for number, machine in enumerate(machines, start=7):
        world.project.provider.addresses[machine.container] = f"10.0.3.{number}/24"
    world.deaf = {"10.0.3.8"}

    def wait_for_the_dead(
        names: Sequence[str],
        *,
        on_line: Callable[[str, str], None],
        stop: threading.Event,
        **_: object,
    ) -> dict[str, str]:
        for machine in machines:
            dead = machine.name == "hello-luis"
            state = "stopped" if dead else "running"
            world.project.provider.add(machine.container, state=state)
            on_line(machine.name, "Waiting for machine to boot.")
            if not dead:
                on_line(machine.name, "Machine booted and ready!")
        assert stop.wait(10), "nobody ended Vagrant"
        raise VagrantKilled("`vagrant up` was killed by SIGTERM")

    world.vagrant_up = wait_for_the_dead  # type: ignore[method-assign]
    outcomes = up(world, witness)
    assert [outcome.ok for outcome in outcomes.values()] == [True, False, True]
    assert outcomes["luis"].message == "it stopped while it booted"
    assert outcomes["luis"].retry == "lab up hello/luis"


def test_a_log_that_cannot_be_written_stops_nobody(world: World, witness: Any) -> None:
    world.project.folder.log_of("hello-ana").mkdir(parents=True)
    world.lines = [("hello-ana", "Importing base box 'x'...")]
    assert all(outcome.ok for outcome in up(world, witness).values())


def test_a_record_that_cannot_be_written_is_its_machine_s_failure(
    world: World, witness: Any
) -> None:
    path = world.project.folder.machine_state("hello-luis")
    world.steps["hello-luis"] = ConnectionLost("No SSH")

    def spoil(*words: Any, **options: Any) -> dict[str, str]:
        path.unlink()
        path.mkdir()
        return boot(*words, **options)

    boot = world.vagrant_up
    world.vagrant_up = spoil  # type: ignore[method-assign]
    outcomes = up(world, witness)
    assert [outcome.ok for outcome in outcomes.values()] == [True, False, True]
    assert outcomes["luis"].message == "No SSH"
    assert "could not be written" in "".join(outcomes["luis"].tail)


def test_one_that_hangs_does_not_hold_up_the_next_wave(
    world: World, witness: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boot_module, "_LAGGARD_S", 0.1)
    one_at_a_time = Load(processors=1, load=0.0, free_mb=1)
    monkeypatch.setattr(pace_module, "look_at_host", lambda: one_at_a_time)
    for number, machine in enumerate(world.project.machines, start=7):
        world.project.provider.addresses[machine.container] = f"10.0.3.{number}/24"
    world.deaf = {"10.0.3.7"}
    others = threading.Event()
    boot = world.vagrant_up

    def hang(names: Sequence[str], **options: Any) -> dict[str, str]:
        boot(names, **options)
        if names == ["hello-ana"]:
            assert others.wait(10), "nobody else was booted meanwhile"
            return {"hello-ana": "Timed out while waiting for the machine to boot."}
        if names == ["hello-marta"]:
            others.set()
        return {}

    world.vagrant_up = hang  # type: ignore[method-assign]
    outcomes = up(world, witness)
    assert world.booted == [["hello-ana"], ["hello-luis"], ["hello-marta"]]
    assert [outcome.ok for outcome in outcomes.values()] == [False, True, True]
    assert outcomes["ana"].message == "Timed out while waiting for the machine to boot."


def one_by_one(world: World) -> tuple[list[str], threading.Event]:
    """Machines behind ports, of a provider that makes one at a time; what happens, in turn.

    Whatever is made while another is, is told as `together`; each Vagrant ends when the event is set.
    """
    told: list[str] = []
    end = threading.Event()
    making = threading.Lock()
    world.project.provider.one_by_one = True
    for number, machine in enumerate(world.project.machines, start=7):
        world.project.provider.ports[machine.container] = {22: 22000 + number, 80: 28000 + number}

    def boot(
        names: Sequence[str], *, on_line: Callable[[str, str], None], **_: object
    ) -> dict[str, str]:
        [name] = names
        told.append(name if making.acquire(blocking=False) else "together")
        time.sleep(0.1)
        world.project.provider.add(f"lab-c0ffee-{name}", ip="127.0.0.1")
        making.release()
        on_line(name, "Waiting for machine to boot.")
        assert end.wait(10), "nobody let this Vagrant end"
        told.append(f"{name} booted")
        return {}

    world.vagrant_up = boot  # type: ignore[method-assign]
    return told, end


def test_what_is_made_one_by_one_boots_side_by_side(world: World, witness: Any) -> None:
    told, end = one_by_one(world)
    run_steps = world.run_steps

    def work(machine: Machine, *words: Any, **how: Any) -> StepsOutcome:
        # While its own Vagrant still waits, and those of the others.
        if machine.name == "hello-marta":
            end.set()
        return run_steps(machine, *words, **how)

    world.run_steps = work  # type: ignore[method-assign]
    outcomes = up(world, witness)
    assert told[:3] == ["hello-ana", "hello-luis", "hello-marta"]
    assert all(outcome.ok for outcome in outcomes.values())
    assert [outcome.ip for outcome in outcomes.values()] == ["127.0.0.1"] * 3
    assert outcomes["luis"].url == "http://tiny.luis.example.org:28008/"
    assert "  Port 22008\n" in (world.project.folder.ssh / "config").read_text()


def test_no_more_boot_side_by_side_than_the_host_can_take(
    world: World, witness: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    weak = Load(processors=1, load=0.0, free_mb=1)
    monkeypatch.setattr(pace_module, "look_at_host", lambda: weak)
    told, end = one_by_one(world)
    threading.Timer(0.5, end.set).start()
    assert all(outcome.ok for outcome in up(world, witness).values())
    assert told == [
        word
        for name in ("ana", "luis", "marta")
        for word in (f"hello-{name}", f"hello-{name} booted")
    ]


def test_one_that_hangs_does_not_hold_up_those_that_are_made_one_by_one(
    world: World, witness: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(boot_module, "_LAGGARD_S", 0.1)
    weak = Load(processors=1, load=0.0, free_mb=1)
    monkeypatch.setattr(pace_module, "look_at_host", lambda: weak)
    told, end = one_by_one(world)
    monkeypatch.setattr(boot_module.ssh, "listens", lambda _, port, **__: port != 22007)
    others = threading.Event()
    boot = world.vagrant_up

    def hang(names: Sequence[str], **options: Any) -> dict[str, str]:
        if names == ["hello-marta"]:
            others.set()
            end.set()
        boot(names, **options)
        if names == ["hello-ana"]:
            assert others.is_set(), "nobody else was booted meanwhile"
            return {"hello-ana": "Timed out while waiting for the machine to boot."}
        return {}

    world.vagrant_up = hang  # type: ignore[method-assign]
    outcomes = up(world, witness)
    assert told[:3] == ["hello-ana", "hello-luis", "hello-marta"]
    assert [outcome.ok for outcome in outcomes.values()] == [False, True, True]
    assert outcomes["ana"].message == "Timed out while waiting for the machine to boot."


def making_lock() -> Path:
    return vagrant_home() / "lab-lxc-making.lock"


def test_no_two_labs_make_machines_that_are_made_one_by_one(world: World, witness: Any) -> None:
    told, end = one_by_one(world)
    end.set()
    other = contextlib.ExitStack()
    other.enter_context(lock.hold(making_lock(), operation="guide test", outlived=True))
    hear = witness.note

    def note(text: str) -> None:
        hear(text)
        if text.startswith("waiting for another lab at work on making a machine (pid"):
            assert told == []
            other.close()

    witness.note = note
    assert all(outcome.ok for outcome in up(world, witness).values())
    assert len(told) == 6
    waited, *over = [text for (text,) in witness.of_kind("note")]
    assert "`lab guide test`" in waited
    assert set(over) == {""}
    assert not is_held(making_lock())


def test_another_lab_may_make_one_when_one_has_started(world: World, witness: Any) -> None:
    one_by_one(world)
    boot = world.vagrant_up
    seen: list[tuple[bool, bool]] = []

    def look(
        names: Sequence[str], *, on_line: Callable[[str, str], None], **options: Any
    ) -> dict[str, str]:
        def hear(name: str, said: str) -> None:
            before = is_held(making_lock())
            on_line(name, said)
            seen.append((before, is_held(making_lock())))
            raise LabError("no more is tried")

        return boot(names, on_line=hear, **options)

    world.vagrant_up = look  # type: ignore[method-assign]
    with pytest.raises(LabError, match="no more is tried"):
        up(world, witness)
    assert seen == [(True, False)]
