"""What this computer's own apt is configured with.

Its distribution's mirror will do for guests of the same distribution.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

_ONE_LINE = re.compile(r"^deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+(.*)$")


def host_mirror(distribution: str, *, root: Path = Path("/")) -> str | None:
    """The archive that this computer installs from, when it is one of `distribution`.

    A distribution is `debian` or `ubuntu`.
    None when the computer runs another distribution or names no archive over HTTP.
    """
    release = _os_release(root)
    if release.get("ID") != distribution:
        return None
    codename = release.get("VERSION_CODENAME", "")
    for uri, suite, components in _entries(root):
        if suite == codename and "main" in components and uri.startswith(("http://", "https://")):
            return uri.rstrip("/")
    return None


def _os_release(root: Path) -> dict[str, str]:
    try:
        lines = (root / "etc/os-release").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    pairs = (line.split("=", 1) for line in lines if "=" in line)
    return {name: value.strip('"') for name, value in pairs}


def _entries(root: Path) -> Iterator[tuple[str, str, list[str]]]:
    """Every archive, suite and list of components, from one-line and from deb822 sources."""
    folder = root / "etc/apt/sources.list.d"
    for path in [root / "etc/apt/sources.list", *sorted(folder.glob("*.list"))]:
        if path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines():
                if match := _ONE_LINE.match(line.strip()):
                    yield match[1], match[2], match[3].split()
    for path in sorted(folder.glob("*.sources")):
        for stanza in re.split(r"\n\s*\n", path.read_text(encoding="utf-8")):
            fields = dict(
                line.split(":", 1)
                for line in stanza.splitlines()
                if ":" in line and not line.startswith(("#", " "))
            )
            if (
                "deb" not in fields.get("Types", "").split()
                or fields.get("Enabled", "").strip() == "no"
            ):
                continue
            for uri in fields.get("URIs", "").split():
                for suite in fields.get("Suites", "").split():
                    yield uri, suite, fields.get("Components", "").split()
