"""What a proof of isolation found: frozen results that reports are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lab.classroom.results import Outcome


@dataclass(frozen=True, kw_only=True)
class Reach:
    """Another machine that one reached.

    Attributes:
        machine: the one that was reached.
        ways: by which ways: `tcp 22`, `arp`, `gateway`; see docs/isolation.md.
        allowed: whether both are neighbours, of labs with `isolation: off`.
    """

    machine: str
    ways: tuple[str, ...]
    allowed: bool


@dataclass(frozen=True, kw_only=True)
class IsolationFinding:
    """What is wrong with one machine by itself.

    Attributes:
        kind: what sort of thing, for programs: `password`, `insecure-key`, `others-key`,
            `host-key`, `internet`.
        text: what was seen.
    """

    kind: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Untried:
    """What nobody knows of a machine.

    Attributes:
        machine: the one not reached, "" for it by itself.
        why: why not.
        lasting: whether another try would know no more, whatever lab does before.
    """

    machine: str
    why: str
    lasting: bool = False


@dataclass(frozen=True, kw_only=True)
class MachineIsolation:
    """What one machine reached from inside, and who gets into it.

    Attributes:
        lab: its lab.
        login: its student.
        machine: what Vagrant calls it.
        isolated: whether labs.yaml keeps it from all others.
        internet: whether labs.yaml lets it reach further than the host.
        kept_from: the machines that it tried, could have reached, and did not.
        reaches: those that it reached.
        unreached: neighbours, of labs with `isolation: off` both, that it tried and did not reach.
        answered: the accounts at whose door it was asked who gets in.
        findings: what is wrong with it by itself.
        untried: what nobody knows.
        beyond: whether it reached anything beyond the host; None where that was not tried, or
            could not be. Only machines with `internet: off` try it.
    """

    lab: str
    login: str
    machine: str
    isolated: bool
    internet: bool
    kept_from: tuple[str, ...] = ()
    reaches: tuple[Reach, ...] = ()
    unreached: tuple[str, ...] = ()
    answered: tuple[str, ...] = ()
    findings: tuple[IsolationFinding, ...] = ()
    untried: tuple[Untried, ...] = ()
    beyond: bool | None = None

    @property
    def outcome(self) -> Outcome:
        """Failed where something is wrong, unknown where something could not be tried."""
        if self.findings or any(not reach.allowed for reach in self.reaches):
            return Outcome.FAILED
        return Outcome.UNKNOWN if self.untried else Outcome.PASSED


def nothing_evaluated(rows: Sequence[MachineIsolation]) -> bool:
    """Whether nothing at all could be tried."""
    return not any(
        row.kept_from
        or row.reaches
        or row.unreached
        or row.answered
        or row.findings
        or row.beyond is not None
        for row in rows
    )
