"""LXC's bridge: there, forwarding, and with a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.machines.health import Health
from lab.machines.probes import bridge
from lab.machines.providers import lxc_net
from tests.unit.conftest import Program

DHCP = ("dnsmasq", "--interface=lxcbr0", "--dhcp-range", "10.0.3.2,10.0.3.254", "")


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: Program) -> Path:
    """A computer whose bridge is well, as files."""
    monkeypatch.setattr(bridge.lxc, "BRIDGE", "lxcbr0")
    for module, name, path in (
        (lxc_net, "INTERFACES", "net"),
        (lxc_net, "_RUN", "run"),
        (lxc_net, "_PROCESSES", "proc"),
        (lxc_net, "_SYSTEMD", "systemd"),
        (bridge, "_FORWARDING", "ip_forward"),
        (bridge, "_PROCESSES", "proc"),
    ):
        monkeypatch.setattr(module, name, tmp_path / path)
    (tmp_path / "net/lxcbr0/brif").mkdir(parents=True)
    (tmp_path / "net/lxcbr0/flags").write_text("0x1003\n")
    (tmp_path / "ip_forward").write_text("1\n")
    (tmp_path / "systemd").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "proc/7").mkdir(parents=True)
    (tmp_path / "proc/7/cmdline").write_text("\0".join(DHCP))
    program("ip", "echo '3: lxcbr0    inet 10.0.3.1/24 brd 10.0.3.255 scope global lxcbr0'")
    return tmp_path


@pytest.mark.usefixtures("host")
def test_a_bridge_that_is_well() -> None:
    verdict = bridge.up()
    assert (verdict.outcome, verdict.found) == (Health.OK, "lxcbr0 is up, 10.0.3.1/24")
    assert bridge.forwarding().outcome is Health.OK


def test_a_missing_bridge_is_started(host: Path) -> None:
    (host / "net/lxcbr0").rename(host / "gone")
    verdict = bridge.up()
    assert verdict.outcome is Health.PROBLEM
    assert list(map(str, verdict.commands)) == ["sudo systemctl start lxc-net"]
    (host / "systemd").rmdir()
    assert list(map(str, bridge.up().commands)) == ["sudo /usr/libexec/lxc/lxc-net start"]


def test_what_believes_that_it_runs_is_stopped_first(host: Path) -> None:
    (host / "net/lxcbr0").rename(host / "gone")
    (host / "run/network_up").touch()
    assert list(map(str, bridge.up().commands)) == ["sudo systemctl restart lxc-net"]
    (host / "systemd").rmdir()
    assert list(map(str, bridge.up().commands)) == ["sudo /usr/libexec/lxc/lxc-net restart"]


def test_nobody_is_killed_for_having_the_server_s_number(host: Path) -> None:
    (host / "net/lxcbr0").rename(host / "gone")
    (host / "run/network_up").touch()
    (host / "run/dnsmasq.pid").write_text("7\n")
    for who, commands in (
        ("dnsmasq", ["sudo systemctl restart lxc-net"]),
        ("vim", [f"sudo rm {host / 'run/dnsmasq.pid'}", "sudo systemctl restart lxc-net"]),
    ):
        (host / "proc/7/comm").write_text(f"{who}\n")
        assert list(map(str, bridge.up().commands)) == commands
    (host / "proc/7/comm").unlink()
    assert list(map(str, bridge.up().commands)) == ["sudo systemctl restart lxc-net"]


def test_a_bridge_that_is_down_or_has_no_address(host: Path, program: Program) -> None:
    (host / "net/lxcbr0/flags").write_text("0x1002\n")
    assert list(map(str, bridge.up().commands)) == ["sudo ip link set lxcbr0 up"]
    (host / "net/lxcbr0/flags").write_text("0x1003\n")
    program("ip", "exit 0")
    (host / "net/lxcbr0/brif/labiw0000000001").touch()
    verdict = bridge.up()
    # Machines may be on it: a restart is for a person to decide.
    assert (verdict.outcome, verdict.commands) == (Health.PROBLEM, ())
    assert "restart lxc-net" in verdict.fix
    assert bridge.name_server().outcome is Health.UNKNOWN


def test_no_way_out(host: Path) -> None:
    (host / "ip_forward").write_text("0\n")
    verdict = bridge.forwarding()
    assert verdict.outcome is Health.PROBLEM
    assert list(map(str, verdict.commands)) == ["sudo sysctl -w net.ipv4.ip_forward=1"]


def test_a_name_server_that_is_gone(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lxc_net, "answers", lambda address: address == "10.0.3.1")
    assert bridge.name_server().outcome is Health.OK
    monkeypatch.setattr(lxc_net, "answers", lambda _: False)
    verdict = bridge.name_server()
    assert verdict.outcome is Health.PROBLEM
    assert list(map(str, verdict.commands)) == ["sudo systemctl restart lxc-net"]
    (host / "net/lxcbr0/brif/labiw0000000001").touch()
    verdict = bridge.name_server()
    assert (verdict.outcome, verdict.commands) == (Health.PROBLEM, ())
    assert verdict.fix == "sudo systemctl restart lxc-net   (cuts off machines for seconds)"


def test_a_dhcp_server_that_leaves_room(host: Path) -> None:
    words = ["10.0.3.204,10.0.3.254" if "," in word else word for word in DHCP]
    (host / "proc/7/cmdline").write_text("\0".join(words))
    verdict = bridge.room_beside_dhcp(30)
    assert verdict.outcome is Health.OK
    assert verdict.found == "202 of 253 addresses are lab's own, 10.0.3.204 to 10.0.3.254 are lent"
    assert bridge.room_beside_dhcp(250).outcome is Health.NOTE


def test_a_dhcp_server_that_may_lend_them_all(host: Path) -> None:
    verdict = bridge.room_beside_dhcp(30)
    assert verdict.outcome is Health.NOTE
    assert 'LXC_DHCP_RANGE="10.0.3.204,10.0.3.254"' in verdict.fix
    (host / "proc/7/cmdline").write_text("something\0else\0")
    assert bridge.room_beside_dhcp(30).outcome is Health.UNKNOWN
