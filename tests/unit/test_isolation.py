"""Who reaches whom: what follows from what machines tried, and from what arrived."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from lab.classroom.isolation import IsolationFinding, MachineIsolation, Reach, Untried
from lab.classroom.results import Outcome
from lab.errors import NOT_ALL_WELL, NOTHING_EVALUATED, OK, ConnectionLost
from lab.machines import doors, neighbours
from lab.machines.doors import INSECURE_KEYS, Door
from lab.machines.fleet import Machine
from lab.machines.neighbours import Heard, Listener, Place, Tries
from lab.report.console import console_for
from lab.report.isolation_json import isolation_json
from lab.report.isolation_table import isolation_table
from lab.workflow.isolation import exit_code_of, prove_isolation
from lab.workflow.project import Project

LABS = """
defaults: {box: debian-12, domain: example.org}
labs:
  apart: {guide: tiny, students: [ana, luis]}
  open: {guide: tiny, isolation: off, internet: off, students: [zoe, teo]}
"""
BOTH = ("first", "last")
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"


@dataclass
class Guests:
    """What the machines would say; nobody reaches anybody until a test says so."""

    deaf: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    cut_off: set[str] = field(default_factory=set)
    arrived: dict[str, dict[str, tuple[str, ...]]] = field(default_factory=dict)
    opened: dict[str, dict[str, tuple[int, ...]]] = field(default_factory=dict)
    beyond: dict[str, tuple[str, ...]] = field(default_factory=dict)
    doors: dict[tuple[str, str], Door] = field(default_factory=dict)
    keys: dict[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    host_reaches: tuple[str, ...] = ("192.0.2.53:53",)
    numbers: dict[str, str] = field(default_factory=dict)
    offered: dict[str, list[str]] = field(default_factory=dict)
    asked_at: set[tuple[str, int]] = field(default_factory=set)

    def listen(self, _: Any, machine: Machine, **__: Any) -> Listener:
        if machine.name in self.lost:
            raise ConnectionLost(f"No SSH connection to {machine.name}")
        return Listener(hardware="02:00:00:00:00:01", keys=self.keys.get(machine.name, ()))

    def try_all(
        self, _: Any, machine: Machine, *, own: Place, others: list[Place], beyond: Any, **__: Any
    ) -> Tries:
        self.numbers[machine.name] = str(own.number)
        names = {name: int(number) for name, number in self.all_numbers.items()}
        opened = {names[name]: ports for name, ports in self.opened.get(machine.name, {}).items()}
        assert own not in others
        reached = self.beyond.get(machine.name, ()) if beyond else ()
        return Tries(gateway=machine.name not in self.cut_off, opened=opened, beyond=reached)

    def hear(self, _: Any, machine: Machine, **__: Any) -> Heard:
        arrived = self.arrived.get(machine.name, {})
        ways = {
            self.all_numbers[name]: tuple(w for w in way if w != "arp")
            for name, way in arrived.items()
        }
        ways["host"] = () if machine.name in self.deaf else BOTH
        looked = {
            f"10.0.3.{int(self.all_numbers[it]) + 2}" for it, way in arrived.items() if "arp" in way
        }
        return Heard(ways=ways, looked=frozenset(looked))

    def ask(
        self, address: str, *, port: int, user: str, known_as: str, offered: Any, **_: Any
    ) -> Door:
        self.asked_at.add((address, port))
        self.offered[known_as] = list(offered)
        return self.doors.get((known_as, user), Door(methods=("publickey",)))

    @property
    def all_numbers(self) -> dict[str, str]:
        return {name: str(number) for number, name in enumerate(MACHINES)}


MACHINES = ("apart-ana", "apart-luis", "open-zoe", "open-teo")


@pytest.fixture
def project(classroom: Callable[..., Project]) -> Project:
    project = classroom(LABS)
    for number, machine in enumerate(project.machines):
        project.provider.add(machine.container, ip=f"10.0.3.{number + 2}")
        machine.keys.folder.mkdir(parents=True, exist_ok=True)
        for kind in ("admin", "student", "host"):
            name = f"{machine.name}-{kind}".replace("-", "")
            (machine.keys.folder / f"{kind}.pub").write_text(f"{KEY}{name} somebody\n")
    return project


@pytest.fixture
def guests(monkeypatch: pytest.MonkeyPatch) -> Guests:
    guests = Guests()
    for name in ("listen", "try_all", "hear"):
        monkeypatch.setattr(neighbours, name, getattr(guests, name))
    monkeypatch.setattr(neighbours, "speak", lambda *_, **__: None)
    monkeypatch.setattr(neighbours, "doors_beyond", lambda: guests.host_reaches)
    monkeypatch.setattr(doors, "ask", guests.ask)
    return guests


def prove(project: Project, witness: Any, *names: str) -> dict[str, Any]:
    machines = [it for it in project.machines if not names or it.name in names]
    rows = prove_isolation(project, machines, observer=witness, jobs=2)
    return {row.machine: row for row in rows}


def code(rows: dict[str, Any]) -> int:
    return exit_code_of(list(rows.values()))


def test_all_are_kept_apart(project: Project, guests: Guests, witness: Any) -> None:
    rows = prove(project, witness)
    assert {name: row.outcome for name, row in rows.items()} == dict.fromkeys(
        MACHINES, Outcome.PASSED
    )
    for name, row in rows.items():
        others = tuple(other for other in MACHINES if other != name)
        assert row.kept_from == (others if name.startswith("apart") else MACHINES[:2])
    assert [row.beyond for row in rows.values()] == [None, None, False, False]
    assert code(rows) == OK


def test_what_only_the_other_has_seen_is_a_reach(
    project: Project, guests: Guests, witness: Any
) -> None:
    guests.arrived["apart-luis"] = {"apart-ana": ("gateway", "arp")}
    guests.opened["open-zoe"] = {"apart-ana": (22, 80)}
    rows = prove(project, witness)
    assert rows["apart-ana"].reaches == (
        Reach(machine="apart-luis", ways=("arp", "gateway"), allowed=False),
    )
    assert rows["open-zoe"].reaches == (
        Reach(machine="apart-ana", ways=("tcp 22", "tcp 80"), allowed=False),
    )
    assert {name for name, row in rows.items() if row.outcome is Outcome.FAILED} == {
        "apart-ana",
        "open-zoe",
    }
    assert code(rows) == NOT_ALL_WELL


def test_neighbours_may_reach_each_other(project: Project, guests: Guests, witness: Any) -> None:
    guests.opened["open-zoe"] = {"open-teo": (22,)}
    rows = prove(project, witness)
    assert rows["open-zoe"].reaches == (Reach(machine="open-teo", ways=("tcp 22",), allowed=True),)
    assert rows["open-teo"].unreached == ("open-zoe",)
    assert "open-zoe" not in rows["open-teo"].kept_from
    assert code(rows) == OK


def test_what_could_not_have_been_reached_is_unknown(
    project: Project, guests: Guests, witness: Any
) -> None:
    guests.deaf.add("apart-luis")
    guests.cut_off.add("open-zoe")
    guests.lost.add("open-teo")
    rows = prove(project, witness)
    deaf = Untried(machine="apart-luis", why="it did not hear this computer either")
    lost = Untried(machine="open-teo", why="No SSH connection to open-teo")
    assert rows["apart-ana"].kept_from == ("open-zoe",)
    assert rows["apart-ana"].untried == (deaf, lost)
    assert rows["open-zoe"].kept_from == ()
    assert rows["open-zoe"].untried[0] == Untried(machine="", why="its gateway did not answer it")
    assert rows["open-zoe"].beyond is None
    assert rows["open-teo"].untried == (Untried(machine="", why=lost.why), deaf)
    assert code(rows) == NOT_ALL_WELL


def test_machines_behind_ports_are_only_asked_at_their_doors(
    project: Project, guests: Guests, witness: Any
) -> None:
    ports = [{22: 22001}, {22: 22002}, {22: 22003}, {}]
    machines = [replace(it, ports=its) for it, its in zip(project.machines, ports, strict=True)]
    project = replace(project, machines=tuple(machines))
    for machine in machines:
        project.provider.add(machine.container, ip="127.0.0.1")
    guests.doors["apart-ana", "ana"] = Door(methods=("publickey", "password"))
    rows = prove(project, witness)
    assert rows["apart-luis"].untried[0] == Untried(
        machine="",
        why="it has a network of its own, which only ports of this computer lead to",
        lasting=True,
    )
    assert [it.kind for it in rows["apart-ana"].findings] == ["password"]
    # Never at this computer's own.
    assert guests.asked_at == {("127.0.0.1", port) for port in (22001, 22002, 22003)}
    unknown = Untried(machine="", why="where it answers is not known")
    assert rows["open-teo"].untried == (unknown,)
    assert code(rows) == NOT_ALL_WELL


def test_without_anybody_to_try_nothing_is_proven(
    project: Project, guests: Guests, witness: Any
) -> None:
    for machine in project.machines[1:]:
        del project.provider.found[machine.container]
    rows = prove(project, witness, "apart-ana", "apart-luis")
    alone = Untried(machine="", why="no other machine runs that it could try to reach")
    assert rows["apart-ana"].untried == (alone,)
    assert rows["apart-luis"].untried == (Untried(machine="", why="there is no such machine"),)
    # Nobody could be reached, but its doors said who gets in.
    assert rows["apart-ana"].answered == ("ana", "vagrant", "root")
    assert code(rows) == NOT_ALL_WELL
    for user in rows["apart-ana"].answered:
        guests.doors["apart-ana", user] = Door()
    assert code(prove(project, witness, "apart-ana")) == NOTHING_EVALUATED


def test_only_those_that_are_named_try(project: Project, guests: Guests, witness: Any) -> None:
    rows = prove(project, witness, "apart-ana")
    assert list(rows) == ["apart-ana"]
    assert rows["apart-ana"].kept_from == MACHINES[1:]
    assert list(guests.numbers) == ["apart-ana"]


def test_who_reaches_the_internet_and_must_not(
    project: Project, guests: Guests, witness: Any
) -> None:
    guests.beyond["open-zoe"] = ("192.0.2.53:53",)
    rows = prove(project, witness)
    assert rows["open-zoe"].findings == (
        IsolationFinding(
            kind="internet",
            text="it reaches 192.0.2.53:53, and labs.yaml says `internet: off`",
        ),
    )
    assert (rows["open-zoe"].beyond, rows["open-teo"].beyond) == (True, False)
    assert code(rows) == NOT_ALL_WELL


def test_a_host_without_the_internet_proves_nothing_of_it(
    project: Project, guests: Guests, witness: Any
) -> None:
    guests.host_reaches = ()
    rows = prove(project, witness)
    assert rows["apart-ana"].outcome is Outcome.PASSED
    assert rows["open-zoe"].beyond is None
    assert [it.why for it in rows["open-zoe"].untried] == [
        "this computer reaches nothing beyond itself, so that its own reach says nothing"
    ]


def test_who_gets_in_where_nobody_should(project: Project, guests: Guests, witness: Any) -> None:
    luis = f"{KEY}apartluisstudent"
    guests.doors["apart-ana", "ana"] = Door(methods=("publickey", "password"), accepted=(luis,))
    guests.doors["apart-ana", "vagrant"] = Door(methods=("publickey",), accepted=INSECURE_KEYS[1:])
    guests.doors["apart-luis", "luis"] = Door(is_another=True)
    guests.doors["open-zoe", "zoe"] = Door(lets_in=True)
    # Deeper than what is asked at the door: a key of one that is not next to it.
    guests.keys["apart-luis"] = (
        ("luis", luis),
        ("luis", f"{KEY}openteostudent"),
        ("luis", f"{KEY}herown"),
    )
    rows = prove(project, witness)
    assert [(it.kind, it.text) for it in rows["apart-ana"].findings] == [
        ("password", "ana may also log in by password"),
        ("others-key", "ana takes a key of apart-luis"),
        ("insecure-key", "vagrant takes Vagrant's insecure key, which everybody has"),
    ]
    assert [(it.kind, it.text) for it in rows["apart-luis"].findings] == [
        ("host-key", "its SSH server shows another host key than the one it was given"),
        ("others-key", "luis takes a key of open-teo"),
    ]
    assert [(it.kind, it.text) for it in rows["open-zoe"].findings] == [
        ("password", "zoe is let in without a password or a key")
    ]
    assert rows["open-zoe"].untried == ()
    # Each machine's keys are tried at the one before it.
    assert guests.offered["apart-ana"] == [*INSECURE_KEYS, luis, f"{KEY}apartluisadmin"]
    assert code(rows) == NOT_ALL_WELL


def test_it_is_told_as_agreed(
    project: Project, guests: Guests, witness: Any, tmp_path: Path
) -> None:
    guests.opened["open-zoe"] = {"open-teo": (22,), "apart-ana": (22,)}
    guests.deaf.add("apart-luis")
    rows = list(prove(project, witness).values())
    document = json.loads(isolation_json(rows))
    assert list(document) == ["version", "isolation"]
    assert document["version"] == 1
    assert document["isolation"][2] == {
        "lab": "open",
        "login": "zoe",
        "machine": "open-zoe",
        "isolated": False,
        "internet": False,
        "outcome": "failed",
        "kept_from": [],
        "reaches": [
            {"machine": "apart-ana", "ways": ["tcp 22"], "allowed": False},
            {"machine": "open-teo", "ways": ["tcp 22"], "allowed": True},
        ],
        "unreached": [],
        "beyond": False,
        "findings": [],
        "unknown": [{"machine": "apart-luis", "why": "it did not hear this computer either"}],
    }
    assert table_of(rows, tmp_path / "table") == TABLE


def table_of(rows: Iterable[MachineIsolation], path: Path, *, columns: int = 100) -> list[str]:
    with path.open("w") as file:
        environment = {"NO_COLOR": "1", "COLUMNS": str(columns)}
        isolation_table(list(rows), console=console_for(file, environment))
    return [line.rstrip() for line in path.read_text().splitlines()]


def next_of(rows: dict[str, Any], tmp_path: Path) -> list[str]:
    """What is said to be done next."""
    lines = table_of(rows.values(), tmp_path / "table", columns=300)
    return [line.removeprefix("Next: ") for line in lines if line.startswith("Next: ")]


RULES = (
    "lab up, which sets this computer's rules again (where labs.yaml has changed since a machine "
    "started: lab halt, then lab up)"
)
RESET = (
    "with lab reset LOGIN all of a machine is as it was made; what is on it is kept as a snapshot, "
    "and marks begin anew"
)


def test_each_kind_of_thing_that_is_wrong_has_its_next_step(
    project: Project, guests: Guests, witness: Any, tmp_path: Path
) -> None:
    luis = f"{KEY}apartluisstudent"
    guests.doors["apart-ana", "ana"] = Door(methods=("publickey",), accepted=(luis,))
    guests.doors["open-teo", "root"] = Door(methods=("publickey",), accepted=INSECURE_KEYS[1:])
    said = next_of(prove(project, witness), tmp_path)
    assert said == [
        "lab ssh LOGIN --admin, to take those keys out of the accounts' ~/.ssh/authorized_keys: "
        "apart/ana, open/teo",
        RESET,
    ]
    guests.doors.clear()
    guests.doors["apart-luis", "luis"] = Door(is_another=True)
    guests.doors["open-zoe", "zoe"] = Door(lets_in=True)
    # What is reached is not hidden by what is wrong besides.
    guests.opened["apart-ana"] = {"apart-luis": (22,)}
    assert next_of(prove(project, witness), tmp_path) == [
        RULES,
        "lab ssh LOGIN --admin, to have the SSH server take keys only (sshd_config: "
        "PasswordAuthentication no, PermitEmptyPasswords no): open/zoe",
        "lab reset LOGIN, which gives a machine its host key again (lab ssh gets in to none that "
        "shows another): apart/luis",
        RESET,
    ]
    guests.doors.clear()
    guests.opened.clear()
    guests.beyond["open-zoe"] = ("192.0.2.53:53",)
    assert next_of(prove(project, witness), tmp_path) == [RULES]


def test_neighbours_that_do_not_reach_each_other_may_have_to_start_anew(
    project: Project, guests: Guests, witness: Any, tmp_path: Path
) -> None:
    rows = prove(project, witness)
    zoe = replace(rows["open-zoe"], reaches=(), untried=(), unreached=("open-teo",))
    assert next_of({"open-zoe": zoe}, tmp_path) == [
        "lab halt, then lab up, where neighbours started before labs.yaml said isolation: off"
    ]


def test_what_no_other_try_would_show_is_not_tried_again(
    project: Project, guests: Guests, witness: Any, tmp_path: Path
) -> None:
    no_more = "lab verify; what is unknown here another try would not show either"
    for_all = "lab up, so that all machines run and answer; then lab verify --isolation"
    guests.host_reaches = ()
    assert next_of(prove(project, witness), tmp_path) == [no_more]
    # Where others do not run, that they do shows more.
    for machine in project.machines[1:]:
        del project.provider.found[machine.container]
    assert next_of(prove(project, witness, "apart-ana"), tmp_path) == [for_all]
    alone = replace(project, machines=project.machines[:1])
    rows = prove(alone, witness)
    assert [it.why for it in rows["apart-ana"].untried] == [
        "the class has no other machine that it could try to reach"
    ]
    assert next_of(rows, tmp_path) == [no_more]
    ports = [replace(it, ports={22: 22001 + at}) for at, it in enumerate(project.machines[:2])]
    for machine in ports:
        project.provider.add(machine.container, ip="127.0.0.1")
    rows = prove(replace(project, machines=tuple(ports)), witness)
    assert rows["apart-ana"].outcome is Outcome.UNKNOWN
    assert next_of(rows, tmp_path) == [no_more]


TABLE = """\
lab    login  result   isolation  internet  kept from  reaches
──────────────────────────────────────────────────────────────────────────
apart  ana    unknown  on         on                2  -
apart  luis   passed   on         on                3  -
open   zoe    failed   off        off               0  apart-ana, open-teo
open   teo    unknown  off        off               1  -

apart/ana
  unknown whether it reaches apart-luis: it did not hear this computer either

open/zoe
  reaches apart-ana: tcp 22
  reaches open-teo: tcp 22 (neighbours: isolation off)
  unknown whether it reaches apart-luis: it did not hear this computer either

open/teo
  does not reach open-zoe, though they are neighbours (isolation off)
  unknown whether it reaches apart-luis: it did not hear this computer either

9 pairs tried: 6 kept apart, 1 open by isolation: off, 1 not reached by neighbours, 1 reached where
nobody should, 3 unknown
Next: lab up, which sets this computer's rules again (where labs.yaml has changed since a machine
started: lab halt, then lab up)""".splitlines()
