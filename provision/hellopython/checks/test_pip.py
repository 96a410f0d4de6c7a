"""Checks of the step `pip`."""

import re
from pathlib import Path

import pytest


def pinned(package, python):
    """The version of a package that the guide asks for."""
    constraints = Path(__file__).parent.parent / "constraints" / f"python{python}.txt"
    found = re.search(rf"^{package}==(\S+)", constraints.read_text(), re.MULTILINE)
    return found[1]


@pytest.mark.check(
    id="pip.version",
    step="pip",
    points=1,
    title={"en": "pip works, for that Python", "es": "pip funciona, para ese Python"},
    hint={
        "en": "`pip --version` ends with the Python that it installs for",
        "es": "`pip --version` acaba con el Python para el que instala",
    },
    after=["python.version"],
)
def test_pip_is_of_that_python(host, student):
    python = student.vars["python"]
    answer = host.run("pip --version")
    said = answer.stdout.strip() or answer.stderr.strip()
    expected = f"pip {pinned('pip', python)} from"
    assert said.startswith(expected), f"`pip --version` should say `{expected}`, but said: {said}"
    assert said.endswith(f"(python {python})"), f"pip should be of Python {python}, but is: {said}"
