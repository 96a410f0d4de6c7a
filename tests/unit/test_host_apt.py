"""This computer's mirror, from whichever form its apt is configured in."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.machines.host_apt import host_mirror

RELEASE = 'PRETTY_NAME="Some"\nID=debian\nVERSION_CODENAME=bookworm\n'
DEB822 = """\
# The archive
Types: deb deb-src
URIs: https://mirror.example.org/debian/
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 URIs: http://not.example.org

Types: deb
URIs: http://security.example.org
Suites: bookworm-security
Components: main
"""


def root_with(root: Path, *, release: str = RELEASE, **sources: str) -> Path:
    """A root folder whose apt has these sources: `main` is sources.list, others by kind."""
    folder = root / "etc/apt/sources.list.d"
    folder.mkdir(parents=True)
    (root / "etc/os-release").write_text(release)
    for name, text in sources.items():
        path = folder.parent / "sources.list"
        (path if name == "main" else folder / name.replace("_", ".")).write_text(text)
    return root


@pytest.mark.parametrize(
    "line",
    [
        "deb http://mirror.example.org/debian bookworm main",
        "  deb   http://mirror.example.org/debian/   bookworm   contrib main  ",
        "deb [arch=amd64 signed-by=/a/b] http://mirror.example.org/debian bookworm main",
        "# deb http://old.example.org bookworm main\n"
        "deb-src http://src.example.org bookworm main\n"
        "deb http://sec.example.org bookworm-security main\n"
        "deb http://extra.example.org bookworm contrib\n"
        "deb cdrom:[Debian]/ bookworm main\n"
        "deb http://mirror.example.org/debian bookworm main\n"
        "deb http://second.example.org/debian bookworm main\n",
    ],
)
def test_the_archive_of_a_one_line_source(tmp_path: Path, line: str) -> None:
    root = root_with(tmp_path, main=line)
    assert host_mirror("debian", root=root) == "http://mirror.example.org/debian"


def test_the_archive_of_a_source_in_a_file_of_its_own(tmp_path: Path) -> None:
    root = root_with(tmp_path, a_list="deb http://mirror.example.org bookworm main\n")
    assert host_mirror("debian", root=root) == "http://mirror.example.org"


def test_the_archive_of_a_deb822_source(tmp_path: Path) -> None:
    root = root_with(tmp_path, debian_sources=DEB822)
    assert host_mirror("debian", root=root) == "https://mirror.example.org/debian"


@pytest.mark.parametrize("change", ["Enabled: no", "Types: deb-src", "Components: contrib"])
def test_a_source_that_is_off_is_none(tmp_path: Path, change: str) -> None:
    root = root_with(tmp_path, a_sources=f"{DEB822.split('Signed')[0]}{change}\n")
    assert host_mirror("debian", root=root) is None


@pytest.mark.parametrize("distribution", ["ubuntu", "debian-12", ""])
def test_another_distribution_s_mirror_is_of_no_use(tmp_path: Path, distribution: str) -> None:
    root = root_with(tmp_path, main="deb http://mirror.example.org bookworm main")
    assert host_mirror(distribution, root=root) is None


def test_a_quoted_release_is_read(tmp_path: Path) -> None:
    release = 'ID="ubuntu"\nVERSION_CODENAME="bionic"\n\nBROKEN LINE\n'
    root = root_with(tmp_path, release=release, main="deb http://m.example.org bionic main")
    assert host_mirror("ubuntu", root=root) == "http://m.example.org"


def test_a_host_without_apt_has_no_mirror(tmp_path: Path) -> None:
    assert host_mirror("debian", root=tmp_path) is None
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text(RELEASE)
    assert host_mirror("debian", root=tmp_path) is None
