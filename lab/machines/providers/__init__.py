"""Providers: what boots the machines.

One module each, all with the same few functions (`base.Provider`).
"""

from __future__ import annotations

from lab.errors import HostError
from lab.machines.providers.base import Provider
from lab.machines.providers.lxc import Lxc


def provider_named(name: str) -> Provider:
    """The provider of that name, tried; `auto` is the first that works.

    Raises:
        HostError: it does not work on this host, with the command that mends it.
    """
    if name not in {"auto", Lxc.name}:
        raise HostError(
            f"The provider {name} is not in this version of lab",
            hint="Write `provider: lxc` (or `auto`) in labs.yaml.",
        )
    provider = Lxc()
    provider.require()
    return provider
