"""Checks of the step `pip`."""

import re
from pathlib import Path

import pytest


def pinned(package, python):
    """The version of a package that the guide asks for."""
    constraints = Path(__file__).parent.parent / "constraints" / f"python{python}.txt"
    found = re.search(rf"^{package}==(\S+)", constraints.read_text(), re.MULTILINE)
    return found[1]


def said_by(answer):
    """A command's answer, or the last line of its complaint."""
    return answer.stdout.strip() or answer.stderr.rstrip().rpartition("\n")[2]


@pytest.mark.check(
    id="pip.version",
    step="pip",
    points=1,
    title={"en": "pip works, for that Python", "es": "pip funciona, para ese Python"},
    hint={
        "en": "Each pip belongs to one Python: `pip --version` says at its end to which, and "
        "`command -v pip` which pip it is.",
        "es": "Cada pip pertenece a un Python: `pip --version` dice al final a cuál, y "
        "`command -v pip` qué pip es.",
    },
    full_hint={
        "en": "Put one of that Python into a virtual environment of root's and link it: "
        "`sudo python3.X -m venv --clear /opt/python-tools`, "
        "`sudo ln -sfn /opt/python-tools/bin/pip /usr/local/bin/pip`; then the version asked for: "
        "`sudo -H pip install pip==VERSION`",
        "es": "Pon uno de ese Python en un entorno virtual de root y enlázalo: "
        "`sudo python3.X -m venv --clear /opt/python-tools`, "
        "`sudo ln -sfn /opt/python-tools/bin/pip /usr/local/bin/pip`; después, la versión pedida: "
        "`sudo -H pip install pip==VERSIÓN`",
    },
    after=["python.version"],
)
def test_pip_is_of_that_python(host, student, expect):
    python = student.vars["python"]
    version = pinned("pip", python)
    answer = host.run("pip --version")
    said = said_by(answer)
    expect(
        said.startswith(f"pip {version} from") and said.endswith(f"(python {python})"),
        expected={
            "en": f"`pip --version` to say pip {version} of Python {python}",
            "es": f"que `pip --version` dijera pip {version} de Python {python}",
        },
        found=said,
    )
