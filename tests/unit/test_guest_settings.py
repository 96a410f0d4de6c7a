"""What labs.yaml hands to the guests: found on this computer, written below `.lab/` only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from lab.classroom.classes import GuestSettings
from lab.errors import HOST, HostError
from lab.machines import guest_settings
from lab.machines.guest_settings import ca_bundle, settings_files, write_settings

Program = Callable[[str, str], Path]


def files(guest: GuestSettings, **environment: str) -> dict[str, str]:
    return settings_files(guest, distribution="debian", environment=environment)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    path.write_bytes(b"-----BEGIN CERTIFICATE-----\n# a\xf1o\n-----END CERTIFICATE-----\n")
    return path


def test_nothing_that_was_not_asked_for() -> None:
    proxies = {"https_proxy": "http://proxy.example.org:3128"}
    assert files(GuestSettings(), **proxies) == {}


def test_what_labs_yaml_says_itself(bundle: Path) -> None:
    guest = GuestSettings(
        ca_certificates=bundle,
        apt_mirror="http://mirror.example.org",
        pip_index=SecretStr("https://u:hunter2@pip.example.org/simple"),
        proxy=SecretStr("http://u:hunter2@proxy.example.org:3128"),
    )
    assert files(guest) == {
        "ca-certificates.crt": bundle.read_text(errors="replace"),
        "apt-mirror": "http://mirror.example.org\n",
        "pip.conf": "[global]\nindex-url = https://u:hunter2@pip.example.org/simple\n",
        "proxy": "http://u:hunter2@proxy.example.org:3128\n",
    }


def test_what_this_computer_has(
    bundle: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    program("pip3", '[ "$*" = "config get global.index-url" ] && echo https://pip.example.org')
    monkeypatch.setattr(guest_settings, "host_mirror", lambda name: f"http://{name}.example.org")
    guest = GuestSettings(
        ca_certificates="host",
        apt_mirror="host",
        pip_index=SecretStr("host"),
        proxy=SecretStr("host"),
    )
    assert files(guest, SSL_CERT_FILE=str(bundle), HTTP_PROXY="http://p.example.org") == {
        "ca-certificates.crt": bundle.read_text(errors="replace"),
        "apt-mirror": "http://debian.example.org\n",
        "pip.conf": "[global]\nindex-url = https://pip.example.org\n",
        "proxy": "http://p.example.org\n",
    }


@pytest.mark.parametrize("pip", ["exit 1", "echo"])
def test_what_this_computer_does_not_have_is_left_out(
    program: Program, monkeypatch: pytest.MonkeyPatch, pip: str
) -> None:
    program("pip3", pip)
    monkeypatch.setattr(guest_settings, "host_mirror", lambda _: None)
    guest = GuestSettings(apt_mirror="host", pip_index=SecretStr("host"), proxy=SecretStr("host"))
    assert files(guest, https_proxy="") == {}


def test_a_computer_without_pip_has_no_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert files(GuestSettings(pip_index=SecretStr("host"))) == {}


def test_the_first_proxy_that_is_set_is_taken() -> None:
    found = files(
        GuestSettings(proxy=SecretStr("host")), https_proxy="", http_proxy="a", HTTP_PROXY="b"
    )
    assert found == {"proxy": "a\n"}


def test_a_bundle_that_is_named_goes_before_the_system_s(bundle: Path, tmp_path: Path) -> None:
    system = tmp_path / "system.pem"
    system.touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guest_settings, "_SYSTEM_BUNDLES", (tmp_path / "none.pem", system))
        assert ca_bundle({"SSL_CERT_FILE": str(bundle)}) == bundle
        assert ca_bundle({"SSL_CERT_FILE": str(tmp_path / "none.pem")}) == system
        assert ca_bundle({}) == system


def test_a_computer_without_certificates_lacks_something(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guest_settings, "_SYSTEM_BUNDLES", ())
    with pytest.raises(HostError) as caught:
        ca_bundle({})
    assert caught.value.exit_code == HOST
    assert "ca-certificates" in caught.value.hint


def test_settings_are_closed_to_others_and_the_stale_ones_go(tmp_path: Path) -> None:
    folder = tmp_path / "guest" / "hello"
    secret = GuestSettings(proxy=SecretStr("http://u:hunter2@p.example.org"))
    write_settings(folder, secret, distribution="debian")
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "proxy").stat().st_mode & 0o777 == 0o600
    before = (folder / "proxy").stat().st_mtime_ns
    write_settings(folder, secret, distribution="debian")
    assert (folder / "proxy").stat().st_mtime_ns == before
    write_settings(folder, GuestSettings(), distribution="debian")
    assert list(folder.iterdir()) == []
