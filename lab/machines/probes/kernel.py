"""Whether KVM works, as a finding: it is no hindrance to LXC, which needs none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lab.machines.health import Verdict, note, ok, unknown
from lab.machines.kvm import Kvm, try_kvm


def kvm(*, roots: Sequence[Path]) -> Verdict:
    """Whether a kernel boots under KVM; the provider lxc does without."""
    trial = try_kvm(roots=roots)
    if trial.kvm is Kvm.WORKS:
        return ok(trial.why)
    if trial.kvm is Kvm.UNTRIED:
        return unknown(f"{trial.why}; the provider lxc does without", fix=trial.fix)
    return note(f"{trial.why}; the provider lxc does without", fix=trial.fix)
