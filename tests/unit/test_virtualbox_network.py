"""Ports and addresses of VirtualBox's machines: a number each, which nobody else has."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from lab.errors import HostError
from lab.machines.boxes.catalog import vagrant_home
from lab.machines.providers import virtualbox_network as module
from lab.machines.providers.virtualbox_manage import VirtualMachine
from lab.machines.providers.virtualbox_network import (
    MACHINES,
    allot,
    allowed_networks,
    forget,
    free_numbers,
    give_numbers,
    numbers_of,
    ports,
    shared_address,
    shared_network,
)


def machine(
    name: str, number: int | None = None, *, state: str = "stopped", **other: Mapping[int, int]
) -> dict[str, VirtualMachine]:
    own = other.get("ports", ports(number) if number is not None else {})
    return {
        name: VirtualMachine(name=name, uuid=f"uuid of {name}", state=state, marked=True, ports=own)
    }


def all_free(_: int) -> bool:
    return True


def test_a_number_is_two_ports_far_from_vagrant_s_own() -> None:
    assert ports(0) == {22: 22000, 80: 28000}
    assert ports(999) == {22: 22999, 80: 28999}
    assert numbers_of(ports(17)) == {17}
    assert numbers_of({22: 2222, 80: 8080}) == set()


def test_each_gets_the_next_that_nobody_has() -> None:
    others = machine("somebody", ports={22: 22001, 8000: 28003}) | machine("lab-ffffff-x", 2)
    assert allot(["a", "b", "c"], others, kept={"d": 0}, is_free=all_free) == {
        "a": 4,
        "b": 5,
        "c": 6,
    }


def test_what_a_machine_has_stays() -> None:
    there = machine("b", 7) | machine("a", 3, state="running")
    assert allot(["a", "b"], there, kept={}, is_free=all_free) == {"a": 3, "b": 7}


def test_what_is_about_to_be_made_keeps_what_it_was_given() -> None:
    assert allot(["a", "b"], {}, kept={"b": 0, "gone": 1}, is_free=all_free) == {"b": 0, "a": 2}


def test_a_machine_that_runs_holds_its_ports_itself() -> None:
    assert allot(["a"], machine("a", 3, state="running"), kept={}, is_free=lambda _: False) == {
        "a": 3
    }


def test_a_machine_whose_port_was_taken_while_it_stood_gets_others() -> None:
    assert allot(["a"], machine("a", 0), kept={}, is_free=lambda port: port != 28000) == {"a": 1}


def test_of_two_with_the_same_number_one_gets_another() -> None:
    there = machine("a", 0, state="running") | machine("b", 0)
    assert allot(["a", "b"], there, kept={}, is_free=all_free) == {"a": 0, "b": 1}


def test_they_go_as_far_as_they_go() -> None:
    there = {name: it for n in range(MACHINES - 1) for name, it in machine(f"m{n}", n).items()}
    assert allot(["a", "b"], there, kept={}, is_free=all_free) == {"a": MACHINES - 1}
    assert free_numbers(there) == 1
    with pytest.raises(HostError) as caught:
        give_numbers(["a", "b"], there)
    assert caught.value.message == "There are no ports left for 1 of 2 machines"


def test_numbers_are_remembered_until_the_machine_is_there() -> None:
    first = give_numbers(["lab-c0ffee-a", "lab-c0ffee-b"], {})
    assert give_numbers(["lab-c0ffee-b"], {}) == {"lab-c0ffee-b": first["lab-c0ffee-b"]}
    assert give_numbers(["other"], {})["other"] not in first.values()
    forget(["lab-c0ffee-a"])
    assert give_numbers(["third"], {}) == {"third": first["lab-c0ffee-a"]}


def test_a_number_is_not_kept_for_ever_and_a_damaged_memory_is_none() -> None:
    registry = vagrant_home() / "lab-virtualbox.json"
    first = give_numbers(["a"], {})["a"]
    registry.write_text(json.dumps({"a": [first, 0]}))
    assert give_numbers(["b"], {}) == {"b": first}
    registry.write_text('{"a": ')
    assert give_numbers(["c"], {}) == {"c": first}


def test_a_port_that_somebody_listens_at_is_not_given() -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        assert not module._is_free(busy.getsockname()[1])
        port = busy.getsockname()[1]
    assert module._is_free(port)


def test_who_answers_at_a_port_has_it_though_the_system_would_give_it_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.socket() as busy:
        busy.bind(("", 0))
        busy.listen()
        monkeypatch.setattr(module.socket.socket, "bind", lambda *_: None)
        assert not module._is_free(busy.getsockname()[1])


def test_the_shared_network_is_one_that_virtualbox_may_have(tmp_path: Path) -> None:
    assert allowed_networks(tmp_path / "none") == (IPv4Network("192.168.56.0/21"),)
    conf = tmp_path / "networks.conf"
    conf.write_text("# ours\n* 10.0.0.0/8 192.168.0.0/16\n* 2001::/64\n")
    assert allowed_networks(conf) == (IPv4Network("10.0.0.0/8"), IPv4Network("192.168.0.0/16"))
    conf.write_text("* 10.0.0.0/8 nonsense\n")
    with pytest.raises(HostError, match="cannot be understood"):
        allowed_networks(conf)


@pytest.mark.parametrize(
    ("allowed", "network"),
    [
        (["192.168.56.0/21"], "192.168.60.0/22"),
        (["10.0.0.0/8", "192.168.0.0/16"], "192.168.60.0/22"),
        (["10.20.0.0/16"], "10.20.252.0/22"),
        (["10.1.1.0/24", "10.20.0.0/22"], "10.20.0.0/22"),
    ],
)
def test_where_the_shared_network_is(allowed: list[str], network: str) -> None:
    assert shared_network([IPv4Network(it) for it in allowed]) == IPv4Network(network)


def test_without_a_large_network_it_is_said() -> None:
    with pytest.raises(HostError) as caught:
        shared_network([IPv4Network("10.1.1.0/24")])
    assert caught.value.hint == "Add a line to it: * 192.168.56.0/21"


def test_the_shared_addresses_have_room_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "allowed_networks", lambda: module.ALLOWED)
    assert shared_address(0) == "192.168.60.2/22"
    assert shared_address(MACHINES - 1) == "192.168.63.233/22"
