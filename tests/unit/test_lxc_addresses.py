"""Addresses for LXC guests: one each, kept, and never one that somebody else has."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path

import pytest

from lab.machines.providers import lxc_addresses as module
from lab.machines.providers.lxc_addresses import allot, main

BRIDGE = ipaddress.IPv4Interface("10.0.3.1/24")
SMALL = ipaddress.IPv4Interface("10.0.3.1/29")


def test_everybody_gets_one() -> None:
    assert allot(["a", "b"], BRIDGE, known={}, existing=[], taken=[]) == {
        "a": "10.0.3.2",
        "b": "10.0.3.3",
    }


def test_what_others_have_is_left_alone() -> None:
    given = allot(["a", "b"], BRIDGE, known={"x": "10.0.3.3"}, existing=["x"], taken=["10.0.3.2"])
    assert given == {"a": "10.0.3.4", "b": "10.0.3.5"}


def test_one_that_was_given_stays() -> None:
    given = allot(["a", "b"], BRIDGE, known={"b": "10.0.3.2"}, existing=["b"], taken=[])
    assert given == {"a": "10.0.3.3", "b": "10.0.3.2"}


def test_one_that_dhcp_has_lent_meanwhile_is_given_up() -> None:
    given = allot(["a"], BRIDGE, known={"a": "10.0.3.2"}, existing=["a"], taken=["10.0.3.2"])
    assert given == {"a": "10.0.3.3"}


def test_one_of_another_network_is_given_up() -> None:
    given = allot(["a"], BRIDGE, known={"a": "192.168.7.2"}, existing=["a"], taken=[])
    assert given == {"a": "10.0.3.2"}


def test_a_guest_that_asks_by_dhcp_goes_on_doing_so() -> None:
    assert allot(["a"], BRIDGE, known={}, existing=["a"], taken=[]) == {}


def test_a_network_that_is_full_says_so_by_whom_it_leaves_out() -> None:
    names = [f"g{number}" for number in range(8)]
    given = allot(names, SMALL, known={}, existing=[], taken=[])
    assert list(given.values()) == [f"10.0.3.{number}" for number in range(2, 7)]
    assert set(names) - set(given) == {"g5", "g6", "g7"}


def run(lxcpath: Path, *guests: str, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    main(lxcpath, lxcpath / "leases", BRIDGE, list(guests))
    answer = json.loads(capsys.readouterr().out)
    assert answer["left_out"] == 0
    addresses: dict[str, str] = answer["addresses"]
    return addresses


def test_it_is_remembered_from_run_to_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "a", "b", capsys=capsys) == {"a": "10.0.3.2/24", "b": "10.0.3.3/24"}
    assert run(tmp_path, "c", capsys=capsys) == {"c": "10.0.3.4/24"}
    assert run(tmp_path, "b", "d", capsys=capsys) == {"b": "10.0.3.3/24", "d": "10.0.3.5/24"}


def test_what_was_never_made_is_free_again_after_a_while(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path, "a", "b", capsys=capsys)
    (tmp_path / "b").mkdir()
    later_s = module.time.time() + module.KEPT_FOR_S + 1
    monkeypatch.setattr(module.time, "time", lambda: later_s)
    assert run(tmp_path, "c", capsys=capsys) == {"c": "10.0.3.2/24"}


def test_leases_and_other_guests_settings_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "leases").write_text("1795350894 00:16:3e:ab:cd:ef 10.0.3.2 precious *\n")
    (tmp_path / "router").mkdir()
    (tmp_path / "router" / "config").write_text("lxc.net.0.ipv4.address = 10.0.3.3/24\n")
    assert run(tmp_path, "a", capsys=capsys) == {"a": "10.0.3.4/24"}


def test_a_guest_that_was_made_without_its_address_asks_by_dhcp(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, "a", capsys=capsys)
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "config").write_text("lxc.net.0.type = veth\n")
    assert run(tmp_path, "a", capsys=capsys) == {}


def test_a_damaged_list_is_read_as_far_as_it_goes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".lab-addresses").write_text(f"x 10.0.3.2 {int(module.time.time())}\n\ny 10.0.3")
    (tmp_path / "leases").write_text("duid 00:01\n\n")
    assert run(tmp_path, "a", capsys=capsys) == {"a": "10.0.3.3/24"}


def test_of_several_lines_in_a_guests_settings_the_last_one_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "config").write_text(
        "lxc.net.0.ipv4.address=10.0.3.8/24\nlxc.net.0.ipv4.address=\n"
        "lxc.net.0.ipv4.address=10.0.3.9/24\n"
    )
    assert run(tmp_path, "a", capsys=capsys) == {"a": "10.0.3.9/24"}


def test_a_lost_list_is_made_good_by_what_stands_in_the_guests_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "config").write_text("lxc.net.0.ipv4.address=10.0.3.9/24\n")
    assert run(tmp_path, "a", capsys=capsys) == {"a": "10.0.3.9/24"}


def test_how_many_are_free_is_told_without_allotting_any(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, "kept", "made", capsys=capsys)
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "config").write_text("lxc.net.0.ipv4.address = 10.0.3.3/24\n")
    (tmp_path / "leases").write_text("1795350894 00:16:3e:ab:cd:ef 10.0.3.9 precious *\n")
    before = (tmp_path / ".lab-addresses").read_text()
    main(tmp_path, tmp_path / "leases", BRIDGE, [])
    # One that is kept for a guest may be the very one that is asked for.
    assert json.loads(capsys.readouterr().out)["free"] == 254 - 3
    assert (tmp_path / ".lab-addresses").read_text() == before


def test_a_network_of_any_size_is_counted_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "leases").write_text(
        "1795350894 00:16:3e:ab:cd:ef 10.9.9.9 here *\n1795350894 00:16:3e:ab:cd:ee 192.168.7.1 away *\n1 2 rubbish\n"
    )
    main(tmp_path, tmp_path / "leases", ipaddress.IPv4Interface("10.0.0.1/8"), [])
    assert json.loads(capsys.readouterr().out)["free"] == 2**24 - 2 - 2
