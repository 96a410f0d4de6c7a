"""Providers: what boots the machines.

One module each, all with the same few functions (`base.Provider`).
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lab.errors import HostError, LabError
from lab.machines.providers.base import Provider
from lab.machines.providers.libvirt import Libvirt
from lab.machines.providers.lxc import Lxc
from lab.machines.providers.virtualbox import VirtualBox
from lab.system import process

AUTO = "auto"


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """A kind of provider: what makes one, a program of its own, and whether it is for Linux only.

    Whoever has the program has less to do until the provider works than who has not.
    """

    make: Callable[[], Provider]
    program: str
    linux_only: bool = False


# In the order in which `auto` tries them.
_KINDS: Mapping[str, _Kind] = {
    Lxc.name: _Kind(make=Lxc, program="lxc-create", linux_only=True),
    Libvirt.name: _Kind(make=Libvirt, program="virsh", linux_only=True),
    VirtualBox.name: _Kind(make=VirtualBox, program="VBoxManage"),
}
PROVIDERS = tuple(_KINDS)


def provider_named(name: str) -> Provider:
    """The provider of that name, tried; `auto` is the first that works.

    Raises:
        HostError: it does not work on this host, or none does; with the command that mends it.
    """
    if name != AUTO:
        provider = untried(name)
        _try(provider)
        return provider
    troubles: dict[str, LabError] = {}
    for provider in map(untried, PROVIDERS):
        trouble = trouble_with(provider)
        if trouble is None:
            return provider
        troubles[provider.name] = trouble
    raise _none_works(troubles)


def untried(name: str) -> Provider:
    """The provider of that name, which need not work on this host.

    Raises:
        HostError: there is none of that name.
    """
    if name not in _KINDS:
        raise HostError(
            f"The provider {name} is not in this version of lab",
            hint=f"Write `provider: {PROVIDERS[0]}` (or `auto`) in labs.yaml.",
        )
    return _KINDS[name].make()


def nearest() -> Provider:
    """Where none works: the provider that the least is missing for."""
    return untried(min(PROVIDERS, key=_distance))


def trouble_with(provider: Provider) -> LabError | None:
    """Why a provider does not work on this host, None when it does."""
    try:
        _try(provider)
    except process.Interrupted:
        raise
    except LabError as error:
        return error
    return None


def _try(provider: Provider) -> None:
    if not _is_for_this_system(provider.name):
        raise HostError(
            f"The provider {provider.name} needs a Linux host",
            hint="Write `provider: virtualbox` (or `auto`) in labs.yaml.",
        )
    provider.require()


def _none_works(troubles: Mapping[str, LabError]) -> HostError:
    """What to tell where none works: all of it, what is mended the quickest first."""
    names = sorted(troubles, key=_distance)
    return HostError(
        "No provider works on this computer",
        details="\n".join(
            f"{name}: " + troubles[name].in_words().replace("\n", "\n  ") for name in names
        ),
        hint=f"{troubles[names[0]].hint}\nThen look again: lab doctor",
    )


def _distance(name: str) -> tuple[bool, bool]:
    return (not _is_for_this_system(name), shutil.which(_KINDS[name].program) is None)


def _is_for_this_system(name: str) -> bool:
    return not _KINDS[name].linux_only or sys.platform == "linux"
