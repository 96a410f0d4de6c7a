"""Checks of the step `pipenv`."""

import re
from pathlib import Path

import pytest


def said_by(answer):
    """A command's answer, or the last line of its complaint."""
    return answer.stdout.strip() or answer.stderr.rstrip().rpartition("\n")[2]


@pytest.mark.check(
    id="pipenv.version",
    step="pipenv",
    points=1,
    title={
        "en": "pipenv is installed",
        "es": "pipenv está instalado",
    },
    hint={
        "en": "pipenv is a Python package like any other, with a command. Where is that command, "
        "and is the place on everybody's PATH?",
        "es": "pipenv es un paquete de Python como otro cualquiera, con una orden. ¿Dónde está esa "
        "orden, y está ese sitio en el PATH de todos?",
    },
    full_hint={
        "en": "`sudo -H pip install pipenv==VERSION`, and "
        "`sudo ln -sfn /opt/python-tools/bin/pipenv /usr/local/bin/pipenv`",
        "es": "`sudo -H pip install pipenv==VERSIÓN`, y "
        "`sudo ln -sfn /opt/python-tools/bin/pipenv /usr/local/bin/pipenv`",
    },
    after=["python.version"],
)
def test_pipenv_works(host, student, expect):
    constraints = (
        Path(__file__).parent.parent / "constraints" / f"python{student.vars['python']}.txt"
    )
    version = re.search(r"^pipenv==(\S+)", constraints.read_text(), re.MULTILINE)[1]
    answer = host.run("LANG=C.UTF-8 pipenv --version")
    expect(
        answer.stdout.strip() == f"pipenv, version {version}",
        expected={
            "en": f"`pipenv --version` to say version {version}",
            "es": f"que `pipenv --version` dijera la versión {version}",
        },
        found=said_by(answer),
    )
