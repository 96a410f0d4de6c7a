"""What the proof of a guide found on a real machine: frozen results that reports are made of."""

from __future__ import annotations

from dataclasses import dataclass

from lab.classroom.wording import Texts


@dataclass(frozen=True, kw_only=True)
class ProofFinding:
    """One thing that is wrong with a guide.

    Attributes:
        kind: what sort of thing, for programs: `check.early`, `step.changed`.
        text: what was seen, in every language.
        advice: what to do about it, in every language.
        step: the step that it is about, "" for none.
        check: the check that it is about, "" for none.
        after: the step after which it was seen; "" for what shows before any has run.
        details: lines that show it: paths that changed, the last words of a step.
    """

    kind: str
    text: Texts
    advice: Texts
    step: str = ""
    check: str = ""
    after: str = ""
    details: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class StepProof:
    """What became of one step.

    Attributes:
        step: its name.
        title: its title.
        scope: `class` or `student`.
        exit_code: of its first run; None for a step that was not reached.
        again_exit_code: of its second run; None where there was none.
        changed: how many paths its second run changed.
        restarted: the services that its second run restarted.
        stopped: those that it stopped.
        checks: how many checks it has.
        passed_before: how many of them passed before its first run.
        passed_after: how many passed after it.
        seconds: how long all of this took.
    """

    step: str
    title: Texts
    scope: str
    exit_code: int | None = None
    again_exit_code: int | None = None
    changed: int = 0
    restarted: tuple[str, ...] = ()
    stopped: tuple[str, ...] = ()
    checks: int = 0
    passed_before: int = 0
    passed_after: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class GuideProof:
    """A guide, the box that it was tried on, and all that was found.

    `ways_in` are the commands that open the machine, where it was kept; `lang` is the language of
    the class, None where it does not say.
    """

    guide: str
    box: str
    steps: tuple[StepProof, ...]
    findings: tuple[ProofFinding, ...]
    ways_in: tuple[str, ...] = ()
    lang: str | None = None

    @property
    def proven(self) -> bool:
        """Whether nothing is wrong with the guide."""
        return not self.findings


@dataclass(frozen=True, kw_only=True)
class GuideSummary:
    """One guide of a list; `problem` says why it cannot be used, "" for one that can."""

    name: str
    title: Texts
    steps: int
    checks: int
    folder: str
    shipped: bool
    problem: str = ""
