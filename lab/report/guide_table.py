"""`lab guide test` and `lab guide list` for a person."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from lab.classroom.proofs import GuideProof, GuideSummary, ProofFinding, StepProof
from lab.classroom.wording import in_language, say
from lab.report.layout import Column, block, cell, marked, speaks_unicode, table
from lab.report.text import inert_line

_MOST_DETAILS = 10


def proof_table(proof: GuideProof, *, console: Console, language: str) -> None:
    """Print a row a step, each finding with what to do about it, and the verdict."""
    console.print(table(_columns(proof.steps, language), console=console))
    console.print()
    for finding in proof.findings:
        _print_finding(finding, console=console, language=language)
        console.print()
    key = "guides.proven" if proof.proven else "guides.not_proven"
    verdict = say(
        key, language, guide=proof.guide, box=inert_line(proof.box), count=len(proof.findings)
    )
    console.print(Text(verdict, style="bold"))
    if not proof.proven:
        console.print(Text(say("guides.next", language, guide=proof.guide)))


def guides_table(guides: Sequence[GuideSummary], *, console: Console, language: str) -> None:
    """Print a row a guide, and what is wrong with those that cannot be used."""
    columns = [
        Column(title="guide", cells=tuple(cell(it.name) for it in guides)),
        Column(title="title", cells=tuple(cell(in_language(it.title, language)) for it in guides)),
        Column(title="steps", cells=tuple(Text(str(it.steps)) for it in guides), right=True),
        Column(title="checks", cells=tuple(Text(str(it.checks)) for it in guides), right=True),
        Column(
            title="folder",
            cells=tuple(cell("(lab's own)" if it.shipped else it.folder) for it in guides),
        ),
    ]
    console.print(table(columns, console=console))
    for guide in guides:
        if guide.problem:
            console.print()
            console.print(Text(inert_line(guide.name), style="bold red"))
            console.print(block(guide.problem, indent=2))


def _columns(steps: Sequence[StepProof], language: str) -> list[Column]:
    def column(word: str, cells: list[Text], *, right: bool = False) -> Column:
        title = say(f"guides.column_{word}", language)
        return Column(title=title, cells=tuple(cells), right=right)

    return [
        column("step", [cell(it.step) for it in steps]),
        column("ran", [_exit(it.exit_code, language) for it in steps]),
        column("again", [_again(it, language) for it in steps]),
        column(
            "before",
            [
                Text("-")
                if it.exit_code is None
                else _passed(it.passed_before, it, language, well=0)
                for it in steps
            ],
        ),
        column(
            "after",
            [
                _passed(it.passed_after, it, language, well=it.checks)
                if it.exit_code == 0
                else Text("-")
                for it in steps
            ],
        ),
        column(
            "seconds",
            [Text("-" if it.exit_code is None else f"{it.seconds:.1f}") for it in steps],
            right=True,
        ),
    ]


def _exit(code: int | None, language: str) -> Text:
    if code is None:
        return Text("-")
    if code:
        return Text(say("guides.exit_code", language, code=code), style="red")
    return Text(say("guides.ok", language), style="green")


def _again(step: StepProof, language: str) -> Text:
    if step.again_exit_code is None or step.again_exit_code:
        return _exit(step.again_exit_code, language)
    changes = step.changed + len(step.restarted) + len(step.stopped)
    if changes:
        return Text(say("guides.changed", language, count=changes), style="red")
    return Text(say("guides.unchanged", language), style="green")


def _passed(passed: int, step: StepProof, language: str, *, well: int) -> Text:
    if not step.checks:
        return Text("-")
    told = say("guides.passed_of", language, passed=passed, count=step.checks)
    return Text(told, style="" if passed == well else "red")


def _print_finding(finding: ProofFinding, *, console: Console, language: str) -> None:
    sign = Text("✗" if speaks_unicode(console) else "x", style="red")
    text = inert_line(in_language(finding.text, language))
    console.print(marked(sign, Text(text, style="bold"), indent=0))
    shown = finding.details[:_MOST_DETAILS]
    lines = [*shown]
    if len(finding.details) > len(shown):
        more = len(finding.details) - len(shown)
        lines.append(say("guides.more_details", language, count=more))
    if lines:
        console.print(block("\n".join(lines), indent=4, style="dim"))
    advice = f"{say('guides.do', language)}: {in_language(finding.advice, language)}"
    console.print(block(advice, indent=2))
