"""What a machine sees from inside, and that nothing of it stays."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lab.classroom.classes import GuestSettings
from lab.errors import MachineError
from lab.machines import ssh
from lab.machines.boxes import catalog
from lab.machines.fleet import Machine
from lab.machines.health import Health, Verdict
from lab.machines.providers.base import Provider
from lab.system.files import LabFolder
from lab.workflow.doctor import machine
from lab.workflow.doctor.machine import TITLES, try_machine
from lab.workflow.doctor.subject import Subject, subject_of
from lab.workflow.scratch import Scratch
from tests.unit.conftest import FakeProvider

INDEX = "https://index.example.org/simple"
NO_TRUST = (
    "E: Failed to fetch https://x  Certificate verification failed: The certificate is NOT trusted."
)


@dataclass
class Inside:
    """The inside of a machine: what each command answers, by a word of it."""

    answers: dict[str, tuple[int, str]] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)
    booted: list[Machine] = field(default_factory=list)
    settings: list[str] = field(default_factory=list)

    def run(self, command: str, *, timeout_s: float = 60.0) -> ssh.Answer:
        self.ran.append(command)
        for word, (code, text) in self.answers.items():
            if word in command:
                return ssh.Answer(exit_code=code, stdout=text.encode(), stderr=b"")
        return ssh.Answer(exit_code=0, stdout=b"", stderr=b"")

    def close(self) -> None:
        """Nothing has to be closed."""


class QuietVagrant:
    def destroy(self, names: list[str]) -> None:
        assert names == ["doctor"]


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Inside:
    """A machine that boots at once, in which everything is well."""
    inside = Inside(
        {
            "date +%s": (0, f"{time.time():.0f}\n"),
            "sources.list": (0, "deb.example.org\n"),
        }
    )

    @contextmanager
    def boots(
        wanted: Machine, *, folder: LabFolder, settings: Path, **_: object
    ) -> Iterator[Scratch]:
        inside.booted.append(wanted)
        inside.settings.extend(sorted(path.name for path in settings.iterdir()))
        yield Scratch(machine=wanted, folder=folder, vagrant=QuietVagrant())  # type: ignore[arg-type]

    monkeypatch.setattr(machine, "scratch_machine", boots)
    monkeypatch.setattr(machine.kit, "run_steps", lambda *_, **__: None)
    monkeypatch.setattr(machine.kit, "pack_kit", lambda *_: b"")
    monkeypatch.setattr(machine.ssh, "Shell", lambda *_, **__: inside)
    monkeypatch.setattr(machine, "index_url", lambda _: INDEX)
    monkeypatch.setattr(machine.tempfile, "tempdir", str(tmp_path))
    return inside


@pytest.fixture
def subject(tmp_path: Path, provider: FakeProvider) -> Subject:
    add_box("lab/debian-12")
    return class_with(tmp_path, provider, "{}")


def class_with(tmp_path: Path, provider: Provider, guest: str) -> Subject:
    path = tmp_path / "class/labs.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        f"labs: {{hellopython: {{box: debian-12, domain: e.org, guest: {guest}, students: [ana]}}}}"
    )
    subject = subject_of(path, provider)
    assert subject.trouble is None
    return subject


def add_box(name: str) -> None:
    folder = catalog.vagrant_home() / "boxes" / name.replace("/", "-VAGRANTSLASH-") / "0/lxc"
    folder.mkdir(parents=True)
    (folder / "metadata.json").write_text('{"provider": "lxc"}')


def found_in(subject: Subject) -> dict[str, Verdict]:
    return try_machine(subject, lambda _: None)


def test_a_machine_in_which_everything_is_well(subject: Subject, inside: Inside) -> None:
    found = found_in(subject)
    assert {id_: verdict.outcome for id_, verdict in found.items()} == dict.fromkeys(
        TITLES, Health.OK
    )
    [booted] = inside.booted
    assert booted.box == "lab/debian-12"
    assert booted.container.startswith(f"labdoctor-{os.getpid()}-")


def test_the_index_s_certificate_is_not_trusted(subject: Subject, inside: Inside) -> None:
    inside.answers["apt-helper"] = (100, NO_TRUST)
    verdict = found_in(subject)["machine.index"]
    assert verdict.outcome is Health.PROBLEM
    assert "does not trust the certificate of index.example.org" in verdict.found
    assert verdict.fix == "guest: {ca_certificates: host}   in labs.yaml"


def test_who_has_this_computer_s_certificates_already_is_told_something_else(
    tmp_path: Path, subject: Subject, inside: Inside
) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_text("certificates")
    trusting = class_with(tmp_path, subject.provider, f"{{ca_certificates: {bundle}}}")
    inside.answers["apt-helper"] = (100, NO_TRUST)
    assert "update-ca-certificates" in found_in(trusting)["machine.index"].fix
    assert inside.settings == ["ca-certificates.crt"]


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("E: Failed to fetch https://x  401  Unauthorized", Health.OK),
        ("E: Failed to fetch https://x  404  Not Found", Health.OK),
        ("E: Failed to fetch https://x  Could not connect: timed out", Health.PROBLEM),
        ("sh: 1: /usr/lib/apt/apt-helper: not found", Health.UNKNOWN),
    ],
)
def test_what_the_index_answers(
    subject: Subject, inside: Inside, said: str, outcome: Health
) -> None:
    inside.answers["apt-helper"] = (100, said)
    assert found_in(subject)["machine.index"].outcome is outcome


def test_no_password_of_an_index_is_told(
    subject: Subject, inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "index_url", lambda _: "https://me:secret@index.example.org/s")
    inside.answers["apt-helper"] = (100, "E: Failed to fetch https://index.example.org/s/pip/")
    found = found_in(subject)
    assert not any("secret" in f"{verdict.found}{verdict.fix}" for verdict in found.values())
    assert not any("secret" in command for command in inside.ran)


def test_names_that_are_not_found(subject: Subject, inside: Inside) -> None:
    inside.answers["getent"] = (2, "")
    verdict = found_in(subject)["machine.names"]
    assert verdict.outcome is Health.PROBLEM
    assert verdict.found == "A machine does not find deb.example.org"


@pytest.mark.parametrize(
    ("said", "fix"),
    [
        ("W: Failed to fetch http://x  Connection failed", "guest: {apt_mirror: host}"),
        (NO_TRUST, "guest: {ca_certificates: host}"),
        ("E: Release file for http://x is not valid yet", "timedatectl"),
    ],
)
def test_an_archive_that_is_out_of_reach(
    subject: Subject, inside: Inside, said: str, fix: str
) -> None:
    inside.answers["apt-get update"] = (100, said)
    verdict = found_in(subject)["machine.archive"]
    assert verdict.outcome is Health.PROBLEM
    assert said in verdict.found
    assert fix in verdict.fix


def test_a_clock_that_is_off(subject: Subject, inside: Inside) -> None:
    inside.answers["date +%s"] = (0, f"{time.time() - 3600:.0f}\n")
    assert found_in(subject)["machine.clock"].outcome is Health.PROBLEM


def test_no_box_to_boot(tmp_path: Path, provider: FakeProvider, inside: Inside) -> None:
    found = found_in(class_with(tmp_path, provider, "{}"))
    assert {verdict.outcome for verdict in found.values()} == {Health.UNKNOWN}
    assert found["machine.boots"].fix == "lab box build debian-12"
    assert inside.booted == []


def test_without_a_class_a_machine_has_what_lab_init_writes(
    tmp_path: Path, subject: Subject, inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed: list[GuestSettings] = []
    monkeypatch.setattr(
        machine, "write_settings", lambda folder, guest, **_: handed.append(guest) or folder.mkdir()
    )
    found_in(subject_of(tmp_path / "nowhere/labs.yaml", subject.provider))
    assert handed == [GuestSettings(ca_certificates="host")]


def test_a_machine_that_does_not_boot_is_the_one_problem(
    subject: Subject, inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object, **__: object) -> Any:
        raise MachineError("The scratch machine did not boot", details="no cgroup")

    monkeypatch.setattr(machine, "scratch_machine", breaks)
    found = found_in(subject)
    assert found["machine.boots"].found == "The scratch machine did not boot\nno cgroup"
    outcomes = [verdict.outcome for verdict in found.values()]
    assert outcomes == [Health.PROBLEM] + [Health.UNKNOWN] * 4


def test_nothing_is_booted_while_vagrant_s_list_is_damaged(
    subject: Subject, inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "is_damaged", lambda: True)
    assert {it.outcome for it in found_in(subject).values()} == {Health.UNKNOWN}
    assert inside.booted == []


def test_what_a_killed_doctor_has_left_is_removed_and_what_another_is_at_is_not(
    subject: Subject, inside: Inside, provider: FakeProvider, tmp_path: Path
) -> None:
    started = Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()[19]
    busy, dead = f"labdoctor-{os.getppid()}-{started}", f"labdoctor-{os.getppid()}-1"
    others = ["lab-c0ffee-hello-ana", "labdoctor-999999999-5-of-mine", "labdoctor-test"]
    for name in (busy, dead, "labdoctor-999999999-5", *others):
        provider.add(name)
        (tmp_path / f"{name}-abcdef_1").mkdir()
    found_in(subject)
    assert sorted(provider.removed) == [dead, "labdoctor-999999999-5"]
    left = [path.name for path in tmp_path.glob("lab*-abcdef_1")]
    assert sorted(left) == sorted(f"{name}-abcdef_1" for name in (busy, *others))


def test_a_doctor_that_nobody_has_waited_for_is_dead(
    subject: Subject, inside: Inside, provider: FakeProvider
) -> None:
    with subprocess.Popen(["true"]) as zombie:
        stat = Path(f"/proc/{zombie.pid}/stat")
        deadline = time.monotonic() + 15
        while ") Z " not in stat.read_text() and time.monotonic() < deadline:
            time.sleep(0.01)
        name = f"labdoctor-{zombie.pid}-{stat.read_text().rpartition(')')[2].split()[19]}"
        provider.add(name)
        found_in(subject)
        assert provider.removed == [name]


def test_the_place_to_boot_at_is_gone_afterwards(
    subject: Subject, inside: Inside, tmp_path: Path
) -> None:
    found_in(subject)
    assert list(tmp_path.glob("labdoctor-*")) == []
