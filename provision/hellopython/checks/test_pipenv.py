"""Checks of the step `pipenv`."""

import re
from pathlib import Path

import pytest


@pytest.mark.check(
    id="pipenv.version",
    step="pipenv",
    points=1,
    title={
        "en": "pipenv is installed",
        "es": "pipenv está instalado",
    },
    hint={
        "en": "Install it for everyone: sudo -H pip install pipenv",
        "es": "Instálalo para todos: sudo -H pip install pipenv",
    },
    after=["python.version"],
)
def test_pipenv_works(host, student):
    constraints = (
        Path(__file__).parent.parent / "constraints" / f"python{student.vars['python']}.txt"
    )
    version = re.search(r"^pipenv==(\S+)", constraints.read_text(), re.MULTILINE)[1]
    answer = host.run("LANG=C.UTF-8 pipenv --version")
    assert answer.stdout.strip() == f"pipenv, version {version}", (
        f"`pipenv --version` should say version {version}, but said: "
        f"{answer.stdout.strip() or answer.stderr.strip()}"
    )
