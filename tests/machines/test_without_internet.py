"""A class that goes by stick to a computer without internet: real guests, and the way out of them really cut."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.machines.boxes import catalog
from tests.machines.conftest import BOX, ClassFolder

LABS_YAML = f"""\
defaults: {{box: {BOX}, domain: example.org, guest: {{ca_certificates: host}}, internet: off}}
labs: {{offline: {{students: [ana, luis]}}}}
"""
FILES = {
    "guide.yaml": """\
name: offline
title: {en: Offline}
steps:
  - {name: python, scope: class, title: {en: Python}}
  - {name: account, scope: student, title: {en: Account}}
""",
    "steps/python.sh": """\
set -euo pipefail
source "$LAB_KIT/apt-install.sh"
apt_install python3-venv
python3 -m venv /opt/python
""",
    "wheels.sh": """\
set -euo pipefail
/opt/python/bin/pip wheel --quiet --no-cache-dir --no-deps --wheel-dir "$LAB_WHEELS" iniconfig==2.0.0
""",
    "steps/account.sh": """\
set -euo pipefail
source "$LAB_KIT/student-account.sh"
student_account
""",
    "checks/test_python.py": """\
import pytest


@pytest.mark.check(id="python.there", step="python", title={"en": "Python", "es": "Python"})
def test_python(host):
    assert host.run("/opt/python/bin/python --version").rc == 0


@pytest.mark.check(id="account.there", step="account", title={"en": "Account", "es": "Cuenta"})
def test_account(host, student):
    assert host.user(student.login).exists
""",
}


def roots() -> Path:
    done = subprocess.run(["lxc-config", "lxc.lxcpath"], capture_output=True, text=True, check=True)
    return Path(done.stdout.strip()) / ".lab-roots"


def forget_roots() -> None:
    """Remove the roots of this file's own bakes, and of nobody else's."""
    mine = [
        str(path)
        for path in sudo("ls", str(roots())).split()
        if path.startswith("lab-bake-offline-")
    ]
    for name in mine:
        sudo("rm", "-rf", "--one-file-system", str(roots() / name))


def sudo(*words: str) -> str:
    words = words if os.geteuid() == 0 else ("sudo", "-n", *words)
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def home(box: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Path]]:
    """Gives the computer that a test is at a VAGRANT_HOME of its own; the first has the box."""
    before = os.environ.get("VAGRANT_HOME")
    built = catalog.find(f"lab/{box}", provider="lxc")
    assert built is not None
    folder = tmp_path_factory.mktemp("homes")
    where = built.folder.relative_to(catalog.vagrant_home())
    shutil.copytree(built.folder, folder / "teacher" / where)

    def be_at(name: str) -> Path:
        os.environ["VAGRANT_HOME"] = str(folder / name)
        return folder / name

    yield be_at
    os.environ.pop("VAGRANT_HOME")
    if before is not None:
        os.environ["VAGRANT_HOME"] = before
    forget_roots()


@pytest.fixture(scope="module")
def offline(
    home: Callable[[str], Path], new_class: Callable[[str, str], ClassFolder]
) -> Iterator[ClassFolder]:
    """A class at the classroom's computer, which has never seen it, beside the stick from home."""

    def make(name: str) -> ClassFolder:
        folder = new_class(name, LABS_YAML)
        for path, text in FILES.items():
            target = folder.path / "provision/offline" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        return folder

    forget_roots()
    home("teacher")
    teacher = make("teacher")
    (teacher.path / "my stick").mkdir()
    teacher.lab("box", "export", str(teacher.path / "my stick"))
    forget_roots()
    home("classroom")
    classroom = make("classroom")
    shutil.copytree(teacher.path / "my stick", classroom.path / "my stick")
    # This computer trusts others than the teacher's: a bake of its own would have another name.
    bundle = Path("/etc/ssl/certs/ca-certificates.crt").read_text()
    end = "-----END CERTIFICATE-----\n"
    (classroom.path / "ca.crt").write_text(end.join(bundle.split(end)[:5]) + end)
    labs_yaml = LABS_YAML.replace("ca_certificates: host", "ca_certificates: ca.crt")
    (classroom.path / "labs.yaml").write_text(labs_yaml)
    yield classroom
    # Without the home that has their box Vagrant would look for it in the internet first.
    classroom.lab("destroy", "--yes")


def test_nothing_is_begun_while_something_would_have_to_be_downloaded(offline: ClassFolder) -> None:
    done = offline.lab("up", "--offline", exit_code=3)
    assert f"the box {BOX} for lxc" in done.stderr
    assert "a bake of offline for offline-ana, offline-luis" in done.stderr
    assert offline.guests() == []


def test_a_stick_can_be_checked_by_anybody(offline: ClassFolder) -> None:
    subprocess.run(
        ["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=offline.path / "my stick", check=True
    )


def test_a_class_comes_up_from_the_stick_alone(offline: ClassFolder) -> None:
    offline.lab("box", "import", "my stick")
    offline.lab("up", "--offline")
    assert offline.outcomes() == {"ana": {}, "luis": {}}
    assert (offline.path / "Vagrantfile").read_text().count("box: 'lab-bake/offline-") == 2
    out = "timeout 5 bash -c 'exec 3<>/dev/tcp/1.1.1.1/53' 2>/dev/null"
    assert offline.root("ana", f"{out} && echo out || echo cut").strip() == "cut"


def test_a_student_installs_what_the_stick_brought(offline: ClassFolder) -> None:
    said = offline.student(
        "ana",
        "/opt/python/bin/pip install --quiet --disable-pip-version-check --target own iniconfig && "
        "PYTHONPATH=own python3 -c 'import iniconfig; print(iniconfig.__name__)'",
    )
    assert said.strip() == "iniconfig"
    refused = offline.student("ana", "/opt/python/bin/pip install --target own flask 2>&1", 1)
    assert "No matching distribution" in refused
    # Nothing of the teacher's computer came along but certificates, and those are this one's now.
    settings = offline.root("ana", "cat /etc/pip.conf; ls /usr/local/share/ca-certificates")
    assert "find-links = /var/lib/lab/wheels" in settings


def test_a_fresh_machine_needs_no_internet_either(offline: ClassFolder) -> None:
    offline.lab("reset", "ana", "--offline", "--discard", "--yes")
    offline.lab("destroy", "luis", "--yes")
    offline.lab("up", "--offline")
    assert offline.outcomes() == {"ana": {}, "luis": {}}


def test_an_edited_class_step_is_told_beforehand(offline: ClassFolder) -> None:
    step = offline.path / "provision/offline/steps/python.sh"
    step.write_text(step.read_text() + "echo more\n")
    done = offline.lab("up", "--offline", exit_code=3)
    assert "what offline's step python brings, on offline-ana, offline-luis" in " ".join(
        done.stderr.split()
    )


def test_the_list_names_the_packages(offline: ClassFolder) -> None:
    boxes = json.loads((offline.path / "my stick/manifest.json").read_text())["boxes"]
    assert [it["wheels"] for it in boxes] == [[], ["iniconfig-2.0.0-py3-none-any.whl"]]
