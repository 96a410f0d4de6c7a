"""provision/settings.sh, for real, with /etc and /var/lib/lab moved into the test's own folder."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.classroom.shipped import shipped


def certificate(letter: str, *, width: int = 64) -> str:
    """A certificate's form; only the text between the marks counts."""
    body = letter * 150
    lines = [body[start : start + width] for start in range(0, len(body), width)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""])


SOURCES = (
    "# The archive\ndeb http://old.example.org suite main\n"
    "deb-src http://old.example.org suite main\n"
)
FILES = {"ca": "ca-certificates.crt", "mirror": "apt-mirror", "pip": "pip.conf"}
Program = Callable[[str, str], Path]
Apply = Callable[..., Path]


@pytest.fixture
def apply(tmp_path: Path, program: Program) -> Apply:
    """Hands settings to a guest, and returns the folder that stands for its root."""
    root = tmp_path / "root"
    own, local = certificate("K"), f"{root}/usr/local/share/ca-certificates"
    program(
        "update-ca-certificates",
        f"echo x $* >>{root}/updated\n"
        f"{{ printf %s {shlex.quote(own)}; for file in {local}/*.crt; do\n"
        f'[ ! -e "$file" ] || cat "$file"; done; }} >{root}/etc/ssl/certs/ca-certificates.crt',
    )
    (root / "etc/ssl/certs").mkdir(parents=True)
    (root / "etc/apt/apt.conf.d").mkdir(parents=True)
    (root / "etc/ssl/certs/ca-certificates.crt").write_text(own)
    (root / "etc/environment").write_text("PATH=/bin\n")
    (root / "etc/apt/sources.list").write_text(SOURCES)
    kit = tmp_path / "kit"
    kit.mkdir()
    text = (shipped("provision") / "settings.sh").read_text()
    text = re.sub(r"/(etc|usr/local/share|var/lib/lab)\b", rf"{root}/\1", text)
    (kit / "settings.sh").write_text(text)

    def run(*, missing: bool = False, **files: str) -> Path:
        folder = kit / "settings"
        shutil.rmtree(folder, ignore_errors=True)
        if not missing:
            folder.mkdir()
        for name, content in files.items():
            (folder / FILES.get(name, name)).write_text(content)
        subprocess.run(["bash", str(kit / "settings.sh")], check=True)
        return root

    return run


def trusted(root: Path) -> str:
    return (root / "etc/ssl/certs/ca-certificates.crt").read_text()


def everything(root: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(root)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in root.rglob("*")
        if path.is_file()
    }


def test_nothing_was_asked_for(apply: Apply) -> None:
    root = apply()
    assert (root / "etc/environment").read_text() == "PATH=/bin\n"
    assert (root / "var/lib/lab/environment").read_text() == ""
    assert not (root / "updated").exists()


def test_certificates_that_the_guest_does_not_know_are_added(apply: Apply) -> None:
    bundle = "# A comment\n" + "".join(
        (certificate("A"), certificate("K", width=50), certificate("B", width=76), certificate("A"))
    ).replace("\n", "\r\n")
    root = apply(ca=bundle)
    folder = root / "usr/local/share/ca-certificates"
    assert {path.name: path.read_text() for path in folder.iterdir()} == {
        "lab-001.crt": certificate("A"),
        "lab-002.crt": certificate("B"),
    }
    assert (root / "updated").read_text() == "x\n"
    path = root / "etc/ssl/certs/ca-certificates.crt"
    assert (root / "var/lib/lab/environment").read_text() == "".join(
        f"{name}={path}\n" for name in ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
    )
    assert f"SSL_CERT_FILE={path}\n" in (root / "etc/environment").read_text()


def test_certificates_that_are_no_longer_handed_on_go(apply: Apply) -> None:
    apply(ca=certificate("A") + certificate("B"))
    root = apply(ca=certificate("B"))
    [path] = (root / "usr/local/share/ca-certificates").iterdir()
    assert path.read_text() == certificate("B")
    assert trusted(root) == certificate("K") + certificate("B")
    # `--fresh` takes away the links to certificates that are gone.
    assert (root / "updated").read_text().splitlines() == ["x", "x --fresh", "x"]


def test_certificates_stay_trusted_when_another_setting_changes(apply: Apply) -> None:
    apply(ca=certificate("A"))
    root = apply(ca=certificate("A"), proxy="http://p.example.org\n")
    assert trusted(root) == certificate("K") + certificate("A")


def test_certificates_are_trusted_after_a_run_that_was_cut_off(apply: Apply) -> None:
    root = apply(ca=certificate("A"))
    (root / "var/lib/lab/settings").unlink()
    (root / "usr/local/share/ca-certificates/lab-001.crt").unlink()
    assert trusted(apply(ca=certificate("A"))) == certificate("K") + certificate("A")


def test_the_archive_is_another(apply: Apply) -> None:
    root = apply(mirror="http://mirror.example.org/a?b&c\n")
    assert (root / "etc/apt/sources.list").read_text() == (
        "# The archive\ndeb http://mirror.example.org/a?b&c suite main\n"
        "deb-src http://mirror.example.org/a?b&c suite main\n"
    )


def test_offline_packages_come_from_the_wheelhouse_alone(apply: Apply) -> None:
    wheels = apply() / "var/lib/lab/wheels"
    wheels.mkdir()
    root = apply(offline="")
    assert (root / "etc/pip.conf").read_text() == (
        f"# Written by lab from labs.yaml\n[global]\nno-index = true\nfind-links = {wheels}\n"
    )
    assert f"PIPENV_PYPI_MIRROR=file://{wheels}/simple\n" in (root / "etc/environment").read_text()
    index = "[global]\nindex-url = https://pip.example.org\n"
    apply(offline="", pip=index)
    assert (root / "etc/pip.conf").read_text() == (
        f"# Written by lab from labs.yaml\n{index}no-index = true\nfind-links = {wheels}\n"
    )
    apply()
    assert not (root / "etc/pip.conf").exists()
    assert (root / "etc/environment").read_text() == "PATH=/bin\n"


def test_offline_without_a_wheelhouse_pip_is_left_as_it_is(apply: Apply) -> None:
    root = apply(offline="")
    assert not (root / "etc/pip.conf").exists()
    assert (root / "etc/environment").read_text() == "PATH=/bin\n"
    index = "[global]\nindex-url = https://pip.example.org\n"
    apply(offline="", pip=index)
    assert (root / "etc/pip.conf").read_text() == f"# Written by lab from labs.yaml\n{index}"


def test_pip_s_index_and_the_proxy(apply: Apply) -> None:
    proxy = "http://u:hunter2@p.example.org:3128"
    root = apply(pip="[global]\nindex-url = https://pip.example.org\n", proxy=f"{proxy}\n")
    assert (root / "etc/pip.conf").read_text() == (
        "# Written by lab from labs.yaml\n[global]\nindex-url = https://pip.example.org\n"
    )
    apt = root / "etc/apt/apt.conf.d/90lab-proxy"
    assert apt.read_text() == (
        f'Acquire::http::Proxy "{proxy}";\nAcquire::https::Proxy "{proxy}";\n'
    )
    assert apt.stat().st_mode & 0o777 == 0o600
    environment = root / "var/lib/lab/environment"
    assert environment.stat().st_mode & 0o777 == 0o600
    assert environment.read_text().splitlines() == [
        *(f"{name}={proxy}" for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")),
        "no_proxy=localhost,127.0.0.1",
        "NO_PROXY=localhost,127.0.0.1",
    ]
    assert (root / "etc/environment").read_text().splitlines() == [
        "PATH=/bin",
        "# lab: begin",
        *environment.read_text().splitlines(),
        "# lab: end",
    ]


def test_run_twice_it_changes_nothing(apply: Apply) -> None:
    settings = {"ca": certificate("A"), "mirror": "http://m.example.org\n", "proxy": "http://p\n"}
    root = apply(**settings)
    before = everything(root)
    assert everything(apply(**settings)) == before


def test_a_run_that_is_cut_off_is_done_again(apply: Apply) -> None:
    root = apply(mirror="http://m.example.org\n")
    (root / "var/lib/lab/settings").unlink()
    (root / "etc/apt/sources.list").write_text("deb http://old.example.org suite main\n")
    apply(mirror="http://m.example.org\n")
    assert "m.example.org" in (root / "etc/apt/sources.list").read_text()
    assert (root / "etc/environment").read_text() == "PATH=/bin\n"
    left = [path.name for path in (root / "var/lib/lab").iterdir()]
    assert sorted(left) == ["environment", "settings"]


def test_the_environment_follows_the_settings(apply: Apply) -> None:
    apply(proxy="http://p.example.org\n")
    root = apply()
    assert (root / "etc/environment").read_text() == "PATH=/bin\n"
    assert (root / "var/lib/lab/environment").read_text() == ""


@pytest.mark.parametrize("missing", [False, True], ids=["empty", "missing"])
@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("proxy", "etc/apt/apt.conf.d/90lab-proxy"),
        ("pip", "etc/pip.conf"),
        ("ca", "usr/local/share/ca-certificates/lab-001.crt"),
    ],
)
def test_what_is_no_longer_asked_for_goes(
    apply: Apply, name: str, path: str, *, missing: bool
) -> None:
    root = apply(**{name: certificate("A")})
    assert (root / path).exists()
    apply(missing=missing)
    assert not (root / path).exists()
    assert trusted(root) == certificate("K")
    assert (root / "etc/environment").read_text() == "PATH=/bin\n"


def test_the_archive_that_was_there_comes_back(apply: Apply) -> None:
    apply(mirror="http://a.example.org\n")
    root = apply(mirror="http://b.example.org\n")
    assert "deb http://b.example.org suite main\n" in (root / "etc/apt/sources.list").read_text()
    apply()
    assert (root / "etc/apt/sources.list").read_text() == SOURCES
    assert [path.name for path in (root / "etc/apt").glob("sources*")] == ["sources.list"]


def test_what_is_not_lab_s_own_stays(apply: Apply) -> None:
    root = apply(proxy="http://p.example.org\n")
    own = {"etc/pip.conf": "[global]\n", "usr/local/share/ca-certificates/own.crt": "x"}
    for path, text in own.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    apply()
    assert {path: (root / path).read_text() for path in own} == own


def test_the_scripts_say_nothing_of_where_the_tests_run(tmp_path: Path) -> None:
    for name in ("run-steps", "settings.sh", "apt-install.sh", "student-account.sh"):
        script = shipped("provision") / name
        assert os.access(script, os.R_OK)
        done = subprocess.run(["bash", "-n", str(script)], check=False)
        assert done.returncode == 0
