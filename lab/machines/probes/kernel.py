"""Whether KVM works, as a finding: no provider depends on it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lab.machines.health import Verdict, note, ok, unknown
from lab.machines.kvm import Kvm, remember, try_kvm

_WITHOUT = {
    "lxc": "the provider lxc does without",
    "libvirt": "the provider libvirt emulates the machines then, several times slower",
}


def kvm(*, roots: Sequence[Path], provider: str) -> Verdict:
    """Whether a kernel boots under KVM; every provider has a way without.

    Args:
        roots: see `try_kvm`.
        provider: what boots the machines.
    """
    trial = try_kvm(roots=roots)
    remember(trial)
    if trial.kvm is Kvm.WORKS:
        return ok(trial.why)
    told = f"{trial.why}; {_WITHOUT[provider]}"
    return (unknown if trial.kvm is Kvm.UNTRIED else note)(told, fix=trial.fix)
