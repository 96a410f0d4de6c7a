"""Which provider boots a class: what labs.yaml names, and what its machines already have."""

from __future__ import annotations

import re
from collections.abc import Collection

from lab.classroom.classes import Classroom
from lab.errors import ConfigError, HostError, UsageError
from lab.machines.providers import AUTO, PROVIDERS, provider_named
from lab.machines.providers.base import Provider
from lab.report.layout import amount, listing
from lab.system.files import LabFolder
from lab.workflow.records import all_records

_MARK = re.compile(r"\blab-[0-9a-f]{6}-")


def choose_provider(classroom: Classroom, folder: LabFolder, *, for_boot: bool) -> Provider:
    """The provider of a class, tried.

    A class stays with the provider that it has machines with: `auto` must not make it anew
    somewhere else on the morning on which a bridge is down. What labs.yaml names besides is for
    machines that are made when those are gone; until then all commands but `lab up` serve those.

    Args:
        classroom: the class.
        folder: lab's own beside its labs.yaml.
        for_boot: whether machines may be made.

    Raises:
        ConfigError: its labs want different providers.
        UsageError: machines may be made, and the class has machines with another provider.
        HostError: the provider does not work on this host.
    """
    wanted, used = wanted_provider(classroom), machines_by_provider(folder)
    name = provider_name(wanted, used)
    if for_boot:
        refuse_other_machines(classroom, folder)
    try:
        return provider_named(name)
    except HostError as error:
        if name == wanted or name not in used:
            raise
        raise HostError(
            error.message,
            details=f"This class has {amount(len(used[name]), 'machine')} with {name}, and stays "
            f"with it.\n{error.details}".strip(),
            hint=f"{error.hint}\n{_gone_for_good(name)}".strip(),
        ) from error


def provider_beside(folder: LabFolder, wanted: str) -> Provider:
    """The provider of a machine that is made beside a class's own, tried.

    Args:
        folder: lab's own of the class, if there is any.
        wanted: a provider or `auto`, which is the one that the class is with.

    Raises:
        HostError: the provider does not work on this host.
    """
    if wanted == AUTO:
        wanted = provider_name(AUTO, machines_by_provider(folder))
    return provider_named(wanted)


def wanted_provider(classroom: Classroom) -> str:
    """What labs.yaml names: a provider or `auto`.

    Raises:
        ConfigError: its labs want different ones.
    """
    names = {lab.provider for lab in classroom.labs}
    if len(names) > 1:
        raise ConfigError(
            f"The labs want different providers: {', '.join(sorted(names))}",
            hint="Write one `provider:` under `defaults`, "
            "or keep each provider's labs in a labs.yaml of their own.",
        )
    return names.pop() if names else AUTO


def machines_by_provider(folder: LabFolder) -> dict[str, set[str]]:
    """The machines of a class that were made, by their provider, as lab and Vagrant noted them."""
    used: dict[str, set[str]] = {}
    for name, record in all_records(folder).items():
        used.setdefault(record.provider, set()).add(name)
    for note in folder.project.glob(".vagrant/machines/*/*/id"):
        name, provider = note.parent.parent.name, note.parent.name
        # Somebody may have had Vagrant in this folder before lab.
        ours = (folder.ssh / name).is_dir() or _MARK.match(
            note.read_text(encoding="utf-8", errors="replace")
        )
        if ours and not any(name in names for names in used.values()):
            used.setdefault(provider, set()).add(name)
    return used


def provider_name(wanted: str, used: Collection[str]) -> str:
    """The provider to work with, `auto` where that is still to be found out by trying.

    Args:
        wanted: what labs.yaml names.
        used: the providers that the class has machines with.
    """
    if not used or wanted in used:
        return wanted
    known = [name for name in PROVIDERS if name in used]
    return [*known, *sorted(used)][0]


def refuse_other_machines(classroom: Classroom, folder: LabFolder) -> None:
    """See that a class has no machines with another provider than the one that is to boot it.

    Args:
        classroom: the class.
        folder: lab's own beside its labs.yaml.

    Raises:
        ConfigError: its labs want different providers.
        UsageError: there are some.
    """
    wanted, used = wanted_provider(classroom), machines_by_provider(folder)
    if wanted == AUTO:
        wanted = provider_name(AUTO, used)
    others = {name: sorted(machines) for name, machines in used.items() if name != wanted}
    if others:
        raise UsageError(
            f"labs.yaml says `provider: {wanted}`, and this class has machines with another",
            details="\n".join(f"{name}: {listing(it)}" for name, it in others.items()),
            hint=f"To keep them, write `provider: {next(iter(others))}`.\n"
            "To make them anew, without what is on them: lab destroy --yes && lab up\n"
            + _gone_for_good(*others),
        )


def _gone_for_good(*providers: str) -> str:
    return (
        f"Where {' and '.join(providers)} will never be on this computer again, this forgets the "
        "machines: rm -r .lab/state/machines .vagrant"
    )
