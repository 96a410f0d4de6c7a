"""Boxes: build what is missing, list what there is, take in what the teacher brings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from lab.classroom.results import BoxStatus
from lab.errors import HostError
from lab.machines.bakes import PREFIX as BAKE_PREFIX
from lab.machines.boxes import builder, catalog
from lab.machines.boxes.names import box_name, is_own_file
from lab.machines.boxes.profiles import PROFILES, profile_named
from lab.machines.providers import provider_named
from lab.machines.vagrant import Vagrant
from lab.system import parallel
from lab.workflow.observer import Observer

PROVIDER = "lxc"


def build_box(
    name: str,
    *,
    observer: Observer,
    log: Path,
    mirror: str | None = None,
    keyring: Path | None = None,
    force: bool = False,
) -> bool:
    """Build a profile's box and give it to Vagrant; says whether there was anything to do.

    Raises:
        UsageError: lab has no such profile.
        HostError: debootstrap, a keyring or space is missing.
        ProcessError: the archive could not be reached, or a command failed.
    """
    recipe = builder.recipe_for(profile_named(name), mirror=mirror, keyring=keyring)
    if builder.built(recipe, provider=PROVIDER) and not force:
        return False
    vagrant = Vagrant(Path.cwd(), log=log)
    done = parallel.run_all(
        [name],
        lambda _, tell: builder.build(recipe, vagrant=vagrant, log=log, note=tell),
        workers=1,
        on_news=lambda _, text: observer.note(text),
        on_done=lambda _, __: None,
    )
    if done[0].error is not None:
        raise done[0].error
    observer.note(f"box {name}: ready")
    return True


def ensure_boxes(boxes: Sequence[str], *, observer: Observer, log: Path, folder: Path) -> None:
    """See that Vagrant has the boxes that labs.yaml names: build profiles, add files and URLs.

    A profile's box that Vagrant has already is good enough, whatever mirror it was built from: only
    `lab box build` makes it anew.

    Raises:
        HostError: a box can be neither found nor built.
        ProcessError: building or adding it failed.
    """
    for box in dict.fromkeys(boxes):
        if catalog.find(box_name(box), provider=PROVIDER) is not None:
            continue
        if box in PROFILES:
            build_box(box, observer=observer, log=log)
        elif is_own_file(box):
            observer.note(f"box {box}: adding")
            Vagrant(folder, log=log).add_box(
                box_name(box), _located(box, folder), provider=PROVIDER
            )
        else:
            raise HostError(
                f"Vagrant has no box called {box} for {PROVIDER}",
                details="lab can build: " + ", ".join(PROFILES),
                hint=f"lab box add {box} FILE_OR_URL   (or name one of those in labs.yaml)",
            )


def add_box(name: str, source: str, *, log: Path | None = None) -> None:
    """Give Vagrant a box of the teacher's own, from a file or a URL.

    Raises:
        LabError: it cannot be read or downloaded, or is no box.
    """
    Vagrant(Path.cwd(), log=log).add_box(name, _located(source, Path.cwd()), provider=PROVIDER)


def list_boxes() -> list[BoxStatus]:
    """Every box that Vagrant has."""
    return [
        BoxStatus(
            name=box.name,
            provider=box.provider,
            version=box.recipe or box.version,
            size_mb=round(box.size_mb),
            created=datetime.fromtimestamp(box.created, UTC).date().isoformat(),
        )
        for box in catalog.boxes()
    ]


def prune(*, log: Path | None = None) -> list[str]:
    """Remove the bakes that no machine is a clone of, and unpacked roots that nothing uses.

    Boxes that were built or added stay. What a machine uses is never removed, whichever project's
    machine it is.

    Returns:
        What was removed, by name.

    Raises:
        LabError: something could not be removed.
    """
    provider = provider_named(PROVIDER)
    vagrant = Vagrant(Path.cwd(), log=log)
    roots = provider.roots()
    used = {root for root, in_use in roots.items() if in_use}
    removed = []
    kept = set(used)
    for box in catalog.boxes():
        if box.name.startswith(BAKE_PREFIX) and box.root_id not in used:
            vagrant.remove_box(box.name, provider=box.provider)
            removed.append(box.name)
        else:
            kept.add(box.root_id)
    for root in roots:
        # `.part` is a root that somebody is making at this moment.
        if root not in kept and not root.endswith(".part"):
            provider.remove_root(root)
            # A bake and its root are one thing to the teacher.
            if not root.startswith(BAKE_PREFIX.replace("/", "-")):
                removed.append(f"the unpacked root {root}")
    return removed


def _located(source: str, folder: Path) -> str:
    return source if "://" in source else str((folder / source).resolve())
