"""lxc-net: whether the name server on its bridge answers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lab.errors import HOST, HostError
from lab.machines.providers import lxc_net


@pytest.fixture
def name_server() -> Iterator[int]:
    """A name server on this computer that answers everything; its port."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as server:
        server.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                try:
                    question, asker = server.recvfrom(512)
                except OSError:
                    return
                if not question:
                    return
                assert b"\x07version\x04bind\x00" in question
                server.sendto(question[:2] + b"\x81\x80" + question[4:], asker)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        port = server.getsockname()[1]
        yield port
        with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as goodbye:
            goodbye.sendto(b"", ("127.0.0.1", port))
        thread.join(5)


def test_the_name_server_is_asked_a_real_question(name_server: int) -> None:
    assert lxc_net.answers("127.0.0.1", port=name_server)


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lxc_net, "_ANSWER_S", 0.05)
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        assert not lxc_net.answers("127.0.0.1", port=port)
    # Nor where nobody listens any more.
    assert not lxc_net.answers("127.0.0.1", port=port)


def test_it_is_told_with_what_starts_it_anew(
    name_server: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(lxc_net, "INTERFACES", tmp_path)
    monkeypatch.setattr(lxc_net, "_RUN", tmp_path)
    monkeypatch.setattr(lxc_net, "_SYSTEMD", tmp_path)
    (tmp_path / "network_up").touch()
    ask = lxc_net.answers
    monkeypatch.setattr(lxc_net, "answers", lambda at: ask(at, port=name_server))
    lxc_net.require_name_server("lxcbr0", "127.0.0.1")
    monkeypatch.setattr(lxc_net, "answers", lambda _: False)
    with pytest.raises(HostError) as caught:
        lxc_net.require_name_server("lxcbr0", "10.0.3.1")
    assert caught.value.exit_code == HOST
    assert caught.value.message.startswith(
        "The DHCP and DNS server of lxcbr0 does not answer at 10.0.3.1"
    )
    assert caught.value.hint == "sudo systemctl restart lxc-net"
    (tmp_path / "lxcbr0/brif/labiw0000000001").mkdir(parents=True)
    with pytest.raises(HostError) as caught:
        lxc_net.require_name_server("lxcbr0", "10.0.3.1")
    assert caught.value.hint.endswith("(cuts off machines on lxcbr0 for seconds)")
