"""What stub machines have on their disks, and what lab lists of their snapshots."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

Lab = Callable[..., Any]


def write(world: Any, login: str, text: str) -> None:
    (world.disk(f"hello-{login}") / "work").write_text(text)


def read(world: Any, login: str) -> str:
    path = world.disk(f"hello-{login}") / "work"
    return path.read_text() if path.exists() else ""


def identity(world: Any, login: str) -> str:
    return (world.disk(f"hello-{login}").parent / "seeded").read_text().strip()


def names(lab: Lab, *targets: str) -> list[tuple[str, str]]:
    """Each snapshot's login and name, with the numbers of dates as 9."""
    rows = lab("snapshot", "list", *targets, "--format", "json").json["snapshots"]
    return [(row["login"], re.sub(r"\d", "9", row["name"])) for row in rows]
