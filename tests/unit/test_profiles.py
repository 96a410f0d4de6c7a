"""The boxes that lab can build."""

from __future__ import annotations

import pytest

from lab.classroom.guide import load_guide
from lab.classroom.shipped import shipped
from lab.errors import USAGE, UsageError
from lab.machines.boxes.profiles import PROFILES, profile_named


def test_the_releases_that_lab_knows() -> None:
    assert {it.name: (it.distribution, it.suite, it.box) for it in PROFILES.values()} == {
        "ubuntu-18.04": ("ubuntu", "bionic", "lab/ubuntu-18.04"),
        "debian-12": ("debian", "bookworm", "lab/debian-12"),
        "debian-11": ("debian", "bullseye", "lab/debian-11"),
    }
    assert all(profile_named(name) is profile for name, profile in PROFILES.items())


def test_every_box_lets_lab_in_and_answers_systemctl() -> None:
    for profile in PROFILES.values():
        assert {"openssh-server", "sudo", "dbus", "systemd-sysv"} <= set(profile.packages)
        assert "main" in profile.components
        assert profile.keyring
        assert profile.keyring_package


def test_the_shipped_guide_knows_every_profile() -> None:
    guide = load_guide("hellopython", project=shipped("provision").parent)
    assert set(guide.profiles) == set(PROFILES)


def test_bionic_takes_universe_and_its_updates() -> None:
    bionic = profile_named("ubuntu-18.04")
    assert bionic.components == ("main", "universe")
    assert bionic.more_suites == ("-updates", "-security")


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("debian12", "; did you mean debian-12?"),
        ("ubuntu-18.4", "; did you mean ubuntu-18.04?"),
        ("x", ""),
    ],
)
def test_an_unknown_profile_is_told_with_what_comes_near(name: str, ending: str) -> None:
    with pytest.raises(UsageError) as caught:
        profile_named(name)
    assert caught.value.exit_code == USAGE
    assert caught.value.message == f"lab has no box profile '{name}'{ending}"
    assert all(known in caught.value.details for known in PROFILES)
    assert caught.value.hint.startswith("lab box build ")
