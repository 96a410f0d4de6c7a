"""What is run in guests to see who reaches whom, and what is asked at their doors."""

from __future__ import annotations

import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lab.errors import MachineError
from lab.machines import doors, neighbours
from lab.machines.doors import INSECURE_KEYS, Door
from lab.machines.neighbours import Heard, Listener, Place, Tries
from lab.system import process
from lab.workflow.project import Project
from tests.unit.conftest import Program

MINE = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPr2bsDBhmJZ5E5wfDL/54NxOaKiToRhLpbVvy1QXE5j"


@pytest.fixture
def guest(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A guest that answers `says`; what it was sent is noted as `script` and `stdin`."""
    noted: dict[str, Any] = {"says": "", "code": 0}

    def run(_: Any, __: Any, script: str, *, stdin: bytes, **___: Any) -> process.Completed:
        noted.update(script=script, stdin=stdin.decode())
        return process.Completed(
            argv=(),
            returncode=noted["code"],
            stdout=noted["says"],
            stderr="no raw socket\n",
            seconds=0,
        )

    monkeypatch.setattr(neighbours.ssh, "run_as_root", run)
    return noted


def test_a_guest_listens(project: Project, guest: dict[str, Any]) -> None:
    guest["says"] = f"hardware 02:00:0a:00:03:07 fd42::7\nkey ana {MINE}\n"
    told = neighbours.listen(
        project.folder,
        project.machines[0],
        mark="c0ffee",
        address="10.0.3.7",
        lasts_s=60,
    )
    assert told == Listener(hardware="02:00:0a:00:03:07", ipv6="fd42::7", keys=(("ana", MINE),))
    assert guest["script"] == "exec perl - listen c0ffee 10.0.3.7 60"


def test_a_guest_tries_the_others(
    project: Project, guest: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neighbours, "_gateway_of", lambda _: "10.0.3.1")
    guest["says"] = "gateway 00163e000000\ntcp 2 80\ntcp 2 22\nbeyond 192.0.2.53 53\n"
    ana, luis, marta = (
        Place(number=number, address=f"10.0.3.{number}", listener=Listener(hardware=f"02:{number}"))
        for number in range(3)
    )
    told = neighbours.try_all(
        project.folder,
        project.machines[0],
        mark="c0ffee",
        own=ana,
        others=[luis, marta],
        beyond=["192.0.2.53:53"],
    )
    assert told == Tries(gateway=True, opened={2: (22, 80)}, beyond=("192.0.2.53:53",))
    assert guest["script"] == "exec perl - try c0ffee 10.0.3.0 10.0.3.1 ana 4.0"
    program, _, data = guest["stdin"].partition("\n__END__\n")
    assert program.startswith("# What lab runs in a guest")
    assert data.splitlines() == [
        "self 0",
        "guest 1 10.0.3.1 02:1",
        "guest 2 10.0.3.2 02:2",
        "beyond 192.0.2.53 53",
    ]
    guest["says"] = "gateway -\n"
    told = neighbours.try_all(
        project.folder,
        project.machines[0],
        mark="c0ffee",
        own=ana,
        others=[luis],
        beyond=[],
    )
    assert told == Tries(gateway=False, opened={}, beyond=())


def test_a_guest_says_what_arrived(project: Project, guest: dict[str, Any]) -> None:
    guest["says"] = "host first\n1 gateway\narp 10.0.3.9\n1 direct\nhost last\n"
    told = neighbours.hear(project.folder, project.machines[0], mark="c0ffee")
    assert told == Heard(
        ways={"host": ("first", "last"), "1": ("direct", "gateway")},
        looked=frozenset({"10.0.3.9"}),
    )


def test_a_guest_that_cannot_says_why(project: Project, guest: dict[str, Any]) -> None:
    guest["code"] = 1
    with pytest.raises(MachineError) as caught:
        neighbours.hear(project.folder, project.machines[0], mark="c0ffee")
    assert caught.value.message == "hello-ana could not be tried"
    assert caught.value.details == "no raw socket"


@pytest.mark.parametrize(
    ("said", "door"),
    [
        ("ana@10.0.3.7: Permission denied (publickey).", Door(methods=("publickey",))),
        (
            "debug1: Server accepts key: /x/2.pub ED25519 {print} explicit\n"
            "ana@10.0.3.7: Permission denied (publickey,password).",
            Door(methods=("publickey", "password"), accepted=(MINE,)),
        ),
        (
            "debug1: Authentication succeeded (none).\n"
            'Authenticated to 10.0.3.7 ([10.0.3.7]:22) using "none".',
            Door(lets_in=True),
        ),
        ("Host key verification failed.", Door(is_another=True)),
        ("ssh: connect to host 10.0.3.7 port 22: No route to host", Door()),
    ],
)
def test_who_would_be_let_in_is_asked_at_the_door(
    program: Program, tmp_path: Path, said: str, door: Door
) -> None:
    (tmp_path / "said").write_text(said.format(print=doors.fingerprint(MINE)) + "\n")
    program("ssh", f'echo "$*" >{tmp_path}/words; cat {tmp_path}/said >&2; exit 255')
    offered = doors.write_keys([*INSECURE_KEYS, f"{MINE} ana"], tmp_path)
    told = doors.ask(
        "10.0.3.7",
        port=2022,
        user="ana",
        known_as="hello-ana",
        known_hosts=tmp_path / "known_hosts",
        offered=offered,
        patience=1.0,
    )
    assert told == door
    assert told.answered is (door != Door())
    words = (tmp_path / "words").read_text()
    # Only what is offered here, never a key or an agent of the teacher's own.
    for word in (
        "-F none",
        "-p 2022",
        "IdentitiesOnly=yes",
        "IdentityAgent=none",
        "ana@10.0.3.7 true",
    ):
        assert word in words
    assert words.count("IdentityFile=") == 3


class Opened:
    """A connection that this computer has made: from which of its addresses, and to which."""

    def __init__(self, own: str, address: str) -> None:
        self.own, self.address = own, address

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def getsockname(self) -> tuple[str, int]:
        return self.own, 50000

    def getpeername(self) -> tuple[str, int]:
        return self.address, 0


def test_what_is_beyond_this_computer_is_none_of_its_own_addresses(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    leads = {
        "127.0.0.53": ("127.0.0.1", "127.0.0.53"),
        # LXC's bridge, and this computer's address in the school's network.
        "10.0.3.1": ("10.0.3.1", "10.0.3.1"),
        "mirror.school": ("192.0.2.7", "192.0.2.7"),
        "192.0.2.53": ("192.0.2.7", "192.0.2.53"),
        "deb.example.org": ("192.0.2.7", "198.51.100.9"),
    }
    asked = []

    def connect(door: tuple[str, int], _: float) -> Opened:
        asked.append(door)
        if door[0] not in leads:
            raise ConnectionRefusedError
        return Opened(*leads[door[0]])

    (tmp_path / "resolv.conf").write_text(
        "nameserver 127.0.0.53\nnameserver 10.0.3.1\nnameserver 192.0.2.53\nnameserver fd42::1\n"
    )
    monkeypatch.setattr(neighbours, "_RESOLV_CONF", tmp_path / "resolv.conf")
    monkeypatch.setattr(neighbours, "_gateways", lambda: ["192.0.2.1"])
    mirrors = {"debian": "http://mirror.school:3142/debian", "ubuntu": "https://deb.example.org/u"}
    monkeypatch.setattr(neighbours, "host_mirror", mirrors.get)
    monkeypatch.setattr(socket, "create_connection", connect)
    assert neighbours.doors_beyond() == ("192.0.2.53:53", "198.51.100.9:443")
    assert ("mirror.school", 3142) in asked
    assert ("192.0.2.1", 443) in asked


def perl(script: str) -> subprocess.CompletedProcess[str]:
    """Run what guests run, with a script instead of what is asked of them."""
    text = neighbours._PROGRAM.read_text().replace("$modes{$mode}->(@words);", script)
    words = [shutil.which("perl") or "perl", "-", "try", "c0ffee"]
    return subprocess.run(words, input=text, capture_output=True, text=True, check=False)


def test_only_a_door_that_opens_is_reached() -> None:
    with socket.socket() as open_, socket.socket() as shut:
        for it in (open_, shut):
            it.bind(("127.0.0.1", 0))
        open_.listen()
        ports = [it.getsockname()[1] for it in (open_, shut)]
        doors_ = ", ".join(f"['127.0.0.1', {port}]" for port in ports)
        # No connection can be made to everybody: that fails at once.
        told = perl(
            f"print join ' ', map {{ $_->[1] }} reached(2, {doors_}, ['255.255.255.255', 80]);"
        )
    assert (told.stdout, told.stderr) == (str(ports[0]), "")


def test_a_frame_that_is_not_sent_ends_the_tries() -> None:
    told = perl("socket my $s, AF_INET, SOCK_DGRAM, 0; sent($s, 'x'); print 'sent';")
    assert (told.stdout, told.returncode != 0) == ("", True)
    assert told.stderr == "a frame could not be sent: Destination address required\n"


def test_a_frame_that_finds_no_room_is_sent_later() -> None:
    told = perl(
        "socketpair my $s, my $t, AF_UNIX, SOCK_DGRAM | Socket::SOCK_NONBLOCK, 0;"
        "while (defined send $s, 'x', 0) {}"
        "if (!fork) { select undef, undef, undef, 0.2; recv $t, my $x, 9, 0; exit }"
        "sent($s, 'y'); print 'sent';"
    )
    assert (told.stdout, told.stderr) == ("sent", "")
