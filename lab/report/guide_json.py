"""`lab guide test --format json` and `lab guide list --format json`."""

from __future__ import annotations

from collections.abc import Sequence

from lab.classroom.proofs import GuideProof, GuideSummary, ProofFinding, StepProof
from lab.classroom.wording import in_language
from lab.report.json_document import document, number


def proof_json(proof: GuideProof, *, language: str) -> str:
    """Return the proof as JSON; numbers of what was not reached are null."""
    return document(
        {
            "guide": proof.guide,
            "box": proof.box,
            "proven": proof.proven,
            "steps": [_step(step, language) for step in proof.steps],
            "findings": [_finding(finding, language) for finding in proof.findings],
        }
    )


def guides_json(guides: Sequence[GuideSummary], *, language: str) -> str:
    """Return the guides as JSON; `problem` is null for one that can be used."""
    return document(
        {
            "guides": [
                {
                    "name": guide.name,
                    "title": in_language(guide.title, language),
                    "steps": guide.steps,
                    "checks": guide.checks,
                    "folder": guide.folder,
                    "shipped": guide.shipped,
                    "problem": guide.problem or None,
                }
                for guide in guides
            ]
        }
    )


def _step(step: StepProof, language: str) -> dict[str, object]:
    ran = step.exit_code == 0
    return {
        "step": step.step,
        "title": in_language(step.title, language),
        "scope": step.scope,
        "exit_code": step.exit_code,
        "again_exit_code": step.again_exit_code,
        "changed": step.changed if ran else None,
        "restarted": list(step.restarted) if ran else None,
        "stopped": list(step.stopped) if ran else None,
        "checks": step.checks,
        "passed_before": None if step.exit_code is None else step.passed_before,
        "passed_after": step.passed_after if ran else None,
        "seconds": number(step.seconds),
    }


def _finding(finding: ProofFinding, language: str) -> dict[str, object]:
    return {
        "kind": finding.kind,
        "step": finding.step or None,
        "check": finding.check or None,
        "after": finding.after or None,
        "message": in_language(finding.text, language),
        "advice": in_language(finding.advice, language),
        "details": list(finding.details),
    }
