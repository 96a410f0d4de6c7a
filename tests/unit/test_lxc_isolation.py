"""LXC guests are kept apart: what their ports are called, and what the host is told about them."""

from __future__ import annotations

import fcntl
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from lab.errors import HostError
from lab.machines.boxes.lxc import ISOLATE
from lab.machines.providers import lxc_isolation
from lab.machines.providers.lxc_isolation import install, port_name, require_for, trouble
from tests.unit.conftest import WANTED, Program

RULES = """\
add table bridge lab
add set bridge lab gateways { type ipv4_addr; }
add chain bridge lab forward { type filter hook forward priority 0; policy accept; }
add chain bridge lab input { type filter hook input priority 0; policy accept; }
add chain bridge lab host_only
flush chain bridge lab forward
flush chain bridge lab input
flush chain bridge lab host_only
flush set bridge lab gateways
add element bridge lab gateways { 10.0.3.1 }
add rule bridge lab forward iifname "labi*" drop
add rule bridge lab forward oifname "labi*" drop
add rule bridge lab input iifname { "labih*", "laboh*" } jump host_only
add rule bridge lab host_only ether type arp accept
add rule bridge lab host_only ip daddr 255.255.255.255 udp dport 67 accept
add rule bridge lab host_only ip daddr @gateways accept
add rule bridge lab host_only drop
"""
# Keeps the rules that it is told in a file, and knows one bridge with two networks that are routed, and one of libvirt's
# when there is a file `virbr`.
IP = """
folder=$(dirname "$0")
case "$*" in
    "-4 -o address show dev lxcbr0") echo "3: lxcbr0    inet 10.0.3.1/24 brd 10.0.3.255 scope global lxcbr0" ;;
    "-4 route show dev lxcbr0 proto kernel") echo "10.0.3.0/24 scope link src 10.0.3.1 linkdown" ;;
    "-6 route show dev lxcbr0 proto kernel") printf '%s\\n' "fd42:1::/64 metric 256" "fe80::/64 metric 256" ;;
    "-4 -o address show dev br0") echo "4: br0    inet 192.168.7.1/24 brd 192.168.7.255 scope global br0" ;;
    "-4 route show dev virbr-lab proto kernel") echo "10.177.0.0/22 scope link src 10.177.0.1" ;;
    "-6 route show dev virbr-lab proto kernel") ;;
    "-br link show type bridge") printf '%s UP 00:16:3e:00:00:00 <UP>\\n' lxcbr0 virbr0 $(cat "$folder/virbr" 2>/dev/null) ;;
    "-o link show") cat "$folder/links" 2>/dev/null || : ;;
    "-o link show dev lab"*) echo "8: $5@if2: <UP> mtu 1500 qdisc noqueue master lxcbr0 state UP mode DEFAULT" ;;
    *" rule show") printf '0:\\tfrom all lookup local\\n'; cat "$folder/rules$1" 2>/dev/null || : ;;
    *" rule add pref 100 iif "*" to "*" prohibit")
        sleep 0.1; printf '100:\\tfrom all to %s iif %s prohibit\\n' "$9" "$7" >>"$folder/rules$1"; echo "$*" >>"$folder/added" ;;
    *) echo "ip $*: not expected" >&2; exit 1 ;;
esac
"""


@pytest.fixture
def host(program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A computer with a bridge; the folder in which it notes what it is told."""
    folder = program("ip", IP).parent
    program("nft", f'echo "$*" >>{folder}/nft-words; cat >{folder}/nft-rules')
    program("bridge", f'echo "$*" >>{folder}/bridge-words')
    monkeypatch.setattr(lxc_isolation.process, "as_root", list)
    (tmp_path / "guest").mkdir()
    monkeypatch.setenv("LAB_RUN", str(tmp_path))
    monkeypatch.setenv("LXC_CONFIG_FILE", str(tmp_path / "guest" / "config"))
    return folder


def start(port: str) -> int:
    """What LXC does when a guest's port is there."""
    words = [str(ISOLATE), "lab-c0ffee-hello-ana", "net", "up", "veth", "lxcbr0", port]
    return subprocess.run(words, check=False, capture_output=True).returncode


@pytest.mark.parametrize(
    ("isolated", "internet", "beginning"),
    [
        (True, True, "labiw"),
        (True, False, "labih"),
        (False, True, "labow"),
        (False, False, "laboh"),
    ],
)
def test_a_port_s_name_says_what_its_guest_may(
    isolated: bool, internet: bool, beginning: str
) -> None:
    name = port_name(replace(WANTED, isolated=isolated, internet=internet))
    assert name.startswith(beginning)
    # No interface's name is longer, and no other guest's is the same.
    assert len(name) == 15
    other = replace(WANTED, name="lab-c0ffee-hello-luis", isolated=isolated, internet=internet)
    assert port_name(other) != name


def test_the_host_is_told_the_rules(host: Path) -> None:
    install([WANTED], bridge="lxcbr0")
    assert (host / "nft-words").read_text() == "-f -\n"
    assert (host / "nft-rules").read_text() == RULES
    assert (host / "added").read_text().splitlines() == [
        "-4 rule add pref 100 iif lxcbr0 to 10.0.3.0/24 prohibit",
        "-6 rule add pref 100 iif lxcbr0 to fd42:1::/64 prohibit",
    ]


def test_libvirt_s_machines_are_others_too(host: Path) -> None:
    (host / "virbr").write_text("virbr-lab\n")
    install([WANTED], bridge="lxcbr0")
    assert (host / "added").read_text().splitlines() == [
        "-4 rule add pref 100 iif lxcbr0 to 10.0.3.0/24 prohibit",
        "-4 rule add pref 100 iif virbr-lab to 10.0.3.0/24 prohibit",
        "-4 rule add pref 100 iif lxcbr0 to 10.177.0.0/22 prohibit",
        "-6 rule add pref 100 iif lxcbr0 to fd42:1::/64 prohibit",
        "-6 rule add pref 100 iif virbr-lab to fd42:1::/64 prohibit",
    ]


def test_guests_of_another_bridge_keep_their_gateway(host: Path) -> None:
    (host / "links").write_text(
        "8: labih0000000001@if2: <UP> mtu 1500 qdisc noqueue master br0 state UP mode DEFAULT\n"
        "9: vethA1B2C3@if2: <UP> mtu 1500 qdisc noqueue master br1 state UP mode DEFAULT\n"
    )
    install([WANTED], bridge="lxcbr0")
    assert "{ 192.168.7.1,10.0.3.1 }" in (host / "nft-rules").read_text()


def test_a_lock_that_somebody_holds_is_told(
    host: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAB_LOCK_WAIT_S", "0")
    install([WANTED], bridge="lxcbr0")
    file = tmp_path / "lab-isolate.lock"
    assert file.stat().st_mode & 0o777 == 0o600
    with file.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(HostError) as caught:
            install([WANTED], bridge="lxcbr0")
    assert (
        caught.value.details == f"isolate: somebody holds {file}; who, says: sudo fuser -v {file}"
    )


def test_guests_that_start_at_once_tell_it_once(host: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        codes = list(pool.map(start, [f"labiw000000000{number}" for number in range(4)]))
    assert codes == [0, 0, 0, 0]
    assert len((host / "added").read_text().splitlines()) == 2
    assert sorted((host / "bridge-words").read_text().splitlines()) == [
        f"link set dev labiw000000000{number} isolated on" for number in range(4)
    ]


def test_neighbours_that_reach_only_the_host_stay_neighbours(host: Path) -> None:
    assert start("laboh0000000001") == 0
    assert (host / "nft-rules").read_text() == RULES
    assert not (host / "bridge-words").exists()


def test_who_may_everything_needs_nothing(host: Path) -> None:
    (host / "nft").unlink()
    install([replace(WANTED, isolated=False)], bridge="lxcbr0")
    assert start("labow0000000001") == 0
    assert not (host / "added").exists()


def test_a_guest_that_cannot_be_kept_apart_does_not_start(
    host: Path, program: Program, tmp_path: Path
) -> None:
    program("nft", "echo 'Error: Could not process rule: Operation not supported' >&2; exit 1")
    assert start("labiw0000000001") != 0
    said = (tmp_path / "guest" / "isolation.log").read_text()
    assert said == "Error: Could not process rule: Operation not supported\n"
    with pytest.raises(HostError) as caught:
        install([WANTED], bridge="lxcbr0")
    assert caught.value.message == "The machines cannot be kept apart on the bridge lxcbr0"
    assert caught.value.details == "Error: Could not process rule: Operation not supported"
    program("nft", "exit 0")
    assert start("labiw0000000001") == 0
    assert not (tmp_path / "guest" / "isolation.log").exists()


@pytest.mark.parametrize("port", ["vethA1B2C3", "lxcbr0"])
def test_a_port_that_is_none_of_lab_s_is_refused(host: Path, port: str) -> None:
    assert start(port) != 0
    assert not (host / "nft-words").exists()


def test_without_nftables_it_is_told_what_installs_it(
    host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lxc_isolation.shutil, "which", lambda *_, **__: None)
    with pytest.raises(HostError) as caught:
        install([WANTED], bridge="lxcbr0")
    assert caught.value.message == "`nft` is not installed, and keeps the students' machines apart"
    assert "sudo apt-get install --no-install-recommends nftables" in caught.value.hint


def test_what_would_be_in_the_way_is_seen_without_changing_anything(
    host: Path, program: Program
) -> None:
    assert trouble("lxcbr0") == ""
    assert (host / "nft-words").read_text() == "--check -f -\n"
    assert not (host / "added").exists()
    program("nft", "echo no such family >&2; exit 1")
    assert trouble("lxcbr0") == "no such family"


def test_what_cannot_be_kept_apart_is_refused_when_it_is_asked(
    host: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_ = replace(WANTED, isolated=False)
    require_for([WANTED], bridge="lxcbr0")
    assert (host / "nft-words").read_text() == "--check -f -\n"
    program("nft", "echo no such family >&2; exit 1")
    require_for([open_], bridge="lxcbr0")
    with pytest.raises(HostError, match="cannot be kept apart on the bridge lxcbr0") as caught:
        require_for([open_, WANTED], bridge="lxcbr0")
    assert caught.value.details == "no such family"
    monkeypatch.setattr(lxc_isolation.shutil, "which", lambda *_, **__: None)
    with pytest.raises(HostError, match="`nft` is not installed"):
        require_for([WANTED], bridge="lxcbr0")
    assert not (host / "added").exists()
