"""Checks of the step `uwsgi`."""

import re
from pathlib import Path

import pytest


def said_by(answer):
    """A command's answer, or the last line of its complaint."""
    return answer.stdout.strip() or answer.stderr.rstrip().rpartition("\n")[2]


@pytest.mark.check(
    id="uwsgi.version",
    step="uwsgi",
    points=1,
    title={
        "en": "uWSGI is installed",
        "es": "uWSGI está instalado",
    },
    hint={
        "en": "pip compiles uWSGI when it installs it, and shows the compiler's complaints. Where "
        "is its command, and is the place on everybody's PATH?",
        "es": "pip compila uWSGI al instalarlo, y muestra las quejas del compilador. ¿Dónde está "
        "su orden, y está ese sitio en el PATH de todos?",
    },
    full_hint={
        "en": "`sudo -H pip install uwsgi==VERSION`, and "
        "`sudo ln -sfn /opt/python-tools/bin/uwsgi /usr/local/bin/uwsgi`",
        "es": "`sudo -H pip install uwsgi==VERSIÓN`, y "
        "`sudo ln -sfn /opt/python-tools/bin/uwsgi /usr/local/bin/uwsgi`",
    },
    after=["python.version"],
)
def test_uwsgi_works(host, student, expect):
    constraints = (
        Path(__file__).parent.parent / "constraints" / f"python{student.vars['python']}.txt"
    )
    version = re.search(r"^uwsgi==(\S+)", constraints.read_text(), re.MULTILINE)[1]
    answer = host.run("uwsgi --version")
    expect(
        answer.stdout.strip() == version,
        expected={
            "en": f"`uwsgi --version` to say {version}",
            "es": f"que `uwsgi --version` dijera {version}",
        },
        found=said_by(answer),
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
        "en": "uWSGI carries the Python that it was compiled with, and runs the application with "
        "no other. `uwsgi --python-version` tells which one that is.",
        "es": "uWSGI lleva dentro el Python con el que se compiló, y no ejecuta la aplicación con "
        "ningún otro. `uwsgi --python-version` dice cuál es.",
    },
    full_hint={
        "en": "Compile it again with the pip of that Python: "
        "`sudo -H pip install --force-reinstall --no-cache-dir uwsgi==VERSION`",
        "es": "Vuelve a compilarlo con el pip de ese Python: "
        "`sudo -H pip install --force-reinstall --no-cache-dir uwsgi==VERSIÓN`",
    },
    after=["uwsgi.version"],
)
def test_uwsgi_is_of_that_python(host, student, expect):
    python = student.vars["python"]
    said = host.run("uwsgi --python-version").stdout.strip()
    expect(
        said.startswith(f"{python}."),
        expected={
            "en": f"uWSGI for Python {python}",
            "es": f"uWSGI para Python {python}",
        },
        found=said,
    )
