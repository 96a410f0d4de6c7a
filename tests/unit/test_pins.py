"""The pins of the shipped guide: what is locked is what is constrained, and it all fits together.

Nothing here asks the network: what the packages say of themselves is written down below, for the
Python that will never have newer ones.
"""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from lab.classroom.guide import load_guide
from lab.classroom.shipped import shipped

GUIDE = shipped("provision") / "hellopython"
PYTHONS = ("3.7", "3.9", "3.11")

# Requires-Dist of each pinned release without its extras, as its metadata has it; uwsgi is a source
# archive and requires nothing. Each says `Requires-Python: >=3.7`, distlib and uwsgi say nothing.
REQUIRES = {
    "certifi": [],
    "click": [
        "colorama; platform_system == 'Windows'",
        "importlib-metadata; python_version < '3.8'",
    ],
    "distlib": [],
    "filelock": [],
    "flask": [
        "Werkzeug >=2.2.2",
        "Jinja2 >=3.0",
        "itsdangerous >=2.0",
        "click >=8.0",
        "importlib-metadata >=3.6.0 ; python_version < '3.10'",
    ],
    "importlib-metadata": ["zipp >=0.5", "typing-extensions >=3.6.4 ; python_version < '3.8'"],
    "itsdangerous": [],
    "jinja2": ["MarkupSafe>=2.0"],
    "markupsafe": [],
    "pip": [],
    "pipenv": ["certifi", "setuptools >=67", "virtualenv >=20.24.2"],
    "platformdirs": ["typing-extensions>=4.7.1; python_version < '3.8'"],
    "setuptools": [],
    "typing-extensions": [],
    "uwsgi": [],
    "virtualenv": [
        "distlib<1,>=0.3.7",
        "filelock<4,>=3.12.2",
        "importlib-metadata>=6.6; python_version < '3.8'",
        "platformdirs<5,>=3.9.1",
    ],
    "werkzeug": ["MarkupSafe >=2.1.1"],
    "wheel": [],
    "zipp": [],
}
# The last releases that run on Python 3.7. certifi goes on, and distlib does not say.
LAST_FOR_37 = {
    "click": "8.1.8",
    "filelock": "3.12.2",
    "flask": "2.2.5",
    "importlib-metadata": "6.7.0",
    "itsdangerous": "2.1.2",
    "jinja2": "3.1.6",
    "markupsafe": "2.1.5",
    "pip": "24.0",
    "pipenv": "2023.10.3",
    "platformdirs": "4.0.0",
    "setuptools": "68.0.0",
    "typing-extensions": "4.7.1",
    "uwsgi": "2.0.31",
    "virtualenv": "20.26.6",
    "werkzeug": "2.2.3",
    "wheel": "0.42.0",
    "zipp": "3.15.0",
}


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def constraints(python: str) -> dict[str, str]:
    """Each package's only version."""
    pins = {}
    for line in (GUIDE / "constraints" / f"python{python}.txt").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            match = re.fullmatch(r"([-a-z0-9]+)==([0-9.]+)", line)
            assert match, f"python{python}.txt: {line}"
            assert match[1] not in pins
            pins[match[1]] = match[2]
    return pins


def lock(python: str) -> dict[str, Any]:
    path = GUIDE / "app" / f"python{python}" / "Pipfile.lock"
    data: dict[str, Any] = json.loads(path.read_text())
    return data


def environment(python: str) -> dict[str, str]:
    """What markers are asked about in a guest."""
    return {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "platform_system": "Linux",
        "sys_platform": "linux",
        "platform_python_implementation": "CPython",
        "extra": "",
    }


def needed(name: str, python: str) -> list[Requirement]:
    requirements = [Requirement(text) for text in REQUIRES[name]]
    return [
        requirement
        for requirement in requirements
        if requirement.marker is None or requirement.marker.evaluate(environment(python))
    ]


def closure(names: list[str], python: str) -> set[str]:
    """The packages, and what they require in turn."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [normalised(requirement.name) for requirement in needed(name, python)]
    return found


def test_each_python_of_a_profile_has_its_pins() -> None:
    guide = load_guide("hellopython", project=GUIDE.parents[1])
    assert {profile.vars["python"] for profile in guide.profiles.values()} == set(PYTHONS)
    assert {path.name for path in (GUIDE / "constraints").iterdir()} == {
        f"python{python}.txt" for python in PYTHONS
    }


@pytest.mark.parametrize("python", PYTHONS)
def test_every_locked_version_is_the_constraint_s(python: str) -> None:
    pins = constraints(python)
    locked = lock(python)["default"]
    assert locked
    assert {name: entry["version"] for name, entry in locked.items()} == {
        name: f"=={pins[name]}" for name in locked
    }


@pytest.mark.parametrize("python", PYTHONS)
def test_every_locked_package_is_for_that_python_and_checked(python: str) -> None:
    for name, entry in lock(python)["default"].items():
        assert Marker(entry.get("markers", "python_version >= '3'")).evaluate(
            environment(python)
        ), name
        assert entry["hashes"]
        assert all(re.fullmatch("sha256:[0-9a-f]{64}", text) for text in entry["hashes"])


@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_is_the_pipfile_s(python: str) -> None:
    pipfile = tomllib.loads((GUIDE / "app" / f"python{python}" / "Pipfile").read_text())
    assert pipfile["requires"] == {"python_version": python}
    assert lock(python)["_meta"]["requires"] == {"python_version": python}
    assert set(pipfile["packages"]) <= set(lock(python)["default"])
    assert lock(python)["develop"] == pipfile["dev-packages"] == {}


@pytest.mark.parametrize("python", PYTHONS)
def test_no_index_is_written_into_the_guide(python: str) -> None:
    pipfile = tomllib.loads((GUIDE / "app" / f"python{python}" / "Pipfile").read_text())
    assert not pipfile.get("source")
    assert lock(python)["_meta"]["sources"] == []


def test_python_3_7_has_the_last_releases_that_run_on_it() -> None:
    pins = constraints("3.7")
    assert {name: pins.get(name) for name in LAST_FOR_37} == LAST_FOR_37
    assert set(pins) - set(LAST_FOR_37) == {"certifi", "distlib"}
    assert Version(pins["distlib"]) in SpecifierSet("~=0.4.0")


def test_the_pins_for_python_3_7_satisfy_one_another() -> None:
    pins = constraints("3.7")
    assert set(pins) == set(REQUIRES)
    for name in pins:
        for requirement in needed(name, "3.7"):
            pin = pins.get(normalised(requirement.name))
            assert pin is not None, f"{name} requires {requirement}, which is not pinned"
            assert Version(pin) in requirement.specifier, f"{name} requires {requirement}: {pin}"


def test_the_lock_for_python_3_7_has_all_that_flask_requires_and_no_more() -> None:
    assert set(lock("3.7")["default"]) == closure(["flask"], "3.7")


def test_the_pins_for_python_3_7_are_all_that_the_steps_install() -> None:
    tools = ["pip", "setuptools", "wheel", "pipenv", "virtualenv", "uwsgi"]
    assert set(constraints("3.7")) == closure([*tools, "flask"], "3.7")
