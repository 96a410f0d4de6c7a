"""Checks of the step `uwsgi`."""

import re
from pathlib import Path

import pytest


@pytest.mark.check(
    id="uwsgi.version",
    step="uwsgi",
    points=1,
    title={
        "en": "uWSGI is installed",
        "es": "uWSGI está instalado",
    },
    hint={
        "en": "Install it for everyone: sudo -H pip install uwsgi",
        "es": "Instálalo para todos: sudo -H pip install uwsgi",
    },
    after=["python.version"],
)
def test_uwsgi_works(host, student):
    constraints = (
        Path(__file__).parent.parent / "constraints" / f"python{student.vars['python']}.txt"
    )
    version = re.search(r"^uwsgi==(\S+)", constraints.read_text(), re.MULTILINE)[1]
    answer = host.run("uwsgi --version")
    assert answer.stdout.strip() == version, (
        f"`uwsgi --version` should say {version}, but said: "
        f"{answer.stdout.strip() or answer.stderr.strip()}"
    )


@pytest.mark.check(
    id="uwsgi.python",
    step="uwsgi",
    points=1,
    title={
        "en": "uWSGI was compiled against that Python",
        "es": "uWSGI se compiló con ese Python",
    },
    hint={
        "en": "`uwsgi --python-version` tells which one; reinstall it with the pip of that Python",
        "es": "`uwsgi --python-version` dice con cuál; reinstala uwsgi con el pip de ese Python",
    },
    after=["uwsgi.version"],
)
def test_uwsgi_is_of_that_python(host, student):
    python = student.vars["python"]
    said = host.run("uwsgi --python-version").stdout.strip()
    assert said.startswith(f"{python}."), f"expected uWSGI for Python {python}, found {said!r}"
