"""What `lab guide test` and `lab guide list` show, as a table and as JSON, in both languages."""

from __future__ import annotations

import io
import json
from pathlib import Path

from lab.classroom.guide import Guide, Step
from lab.classroom.proofs import GuideProof, GuideSummary, StepProof
from lab.classroom.results import Outcome
from lab.classroom.runs import CheckRun
from lab.report.console import console_for
from lab.report.guide_json import guides_json, proof_json
from lab.report.guide_table import guides_table, proof_table
from lab.workflow.guide_findings import Again, Round, findings_of

BOTH = {"en": "The web", "es": "La web"}
HOSTILE = "\x1b]52;c;eA==\x07[red]\u202eevil"
GUIDE = Guide(
    name="tiny",
    folder=Path("/tiny"),
    title=BOTH,
    profiles={},
    steps=(
        Step(name="web", scope="class", title=BOTH, script=Path("web.sh")),
        Step(name="site", scope="class", title=BOTH, script=Path("site.sh")),
        Step(name="never", scope="class", title=BOTH, script=Path("never.sh")),
    ),
)


def check(outcome: Outcome) -> CheckRun:
    return CheckRun(
        id="web.a",
        step="web",
        title=BOTH,
        outcome=outcome,
        points=None,
        max_points=1,
        message={"en": HOSTILE},
    )


ROUNDS = (
    Round(
        step="web",
        checks=(check(Outcome.FAILED),),
        again=Again(changed=tuple(f"+ /etc/{number}" for number in range(12))),
    ),
    Round(step="site", exit_code=7, tail=(HOSTILE, "no flour")),
)
BAD = GuideProof(
    guide="tiny",
    box="debian-12",
    steps=(
        StepProof(
            step="web",
            title=BOTH,
            scope="class",
            exit_code=0,
            again_exit_code=0,
            changed=12,
            checks=1,
            seconds=12.34,
        ),
        StepProof(step="site", title=BOTH, scope="class", exit_code=7, seconds=1),
        StepProof(step="never", title=BOTH, scope="class"),
    ),
    findings=findings_of(GUIDE, (check(Outcome.FAILED),), ROUNDS),
)
GOOD = GuideProof(
    guide="tiny",
    box="debian-12",
    steps=(
        StepProof(
            step="web",
            title=BOTH,
            scope="class",
            exit_code=0,
            again_exit_code=0,
            checks=2,
            passed_after=2,
            seconds=3,
        ),
    ),
    findings=(),
)


def shown(proof: GuideProof, language: str) -> str:
    stream = io.StringIO()
    console = console_for(stream, {"COLUMNS": "90", "NO_COLOR": "1"})
    proof_table(proof, console=console, language=language)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())


def test_a_guide_that_is_proven() -> None:
    assert shown(GOOD, "en") == (
        "step  ran  again            checks before  checks after  seconds\n"
        "────────────────────────────────────────────────────────────────\n"
        "web   ok   nothing changed  0 of 2         2 of 2            3.0\n"
        "\n"
        "tiny is proven on debian-12: each step runs twice and changes nothing the second time, and\n"
        "each check passes after its step and not before."
    )


def test_a_guide_that_is_not_proven_with_nothing_of_it_obeyed_by_a_terminal() -> None:
    told = shown(BAD, "es")
    evil = "␛]52;c;eA==␇[red]�evil"
    paths = "\n".join(f"    + /etc/{number}" for number in range(10))
    assert told == (
        "paso   ejecución  otra vez     comprobaciones antes  comprobaciones después  segundos\n"
        "─────────────────────────────────────────────────────────────────────────────────────\n"
        "web    bien       cambios: 12  0 de 1                0 de 1                      12.3\n"
        "site   código 7   -            -                     -                            1.0\n"
        "never  -          -            -                     -                              -\n"
        "\n"
        f"✗ web.a no se cumple después de su paso web: {evil}\n"
        "  qué hacer: Corrige steps/web.sh, o lo que pide la comprobación.\n"
        "\n"
        "✗ El paso web cambió cosas al ejecutarse por segunda vez: 12\n"
        f"{paths}\n"
        "    y 2 más\n"
        "  qué hacer: Haz que steps/web.sh haga solo lo que aún no está hecho: cualquier `lab up`\n"
        "  puede volver a ejecutarlo.\n"
        "\n"
        "✗ El paso site terminó con el código 7; lo que viene después no se probó\n"
        f"    {evil}\n"
        "    no flour\n"
        "  qué hacer: Corrige steps/site.sh, o lo que dice que falta.\n"
        "\n"
        "tiny no está listo en debian-12. Hallazgos: 3.\n"
        "Siguiente: corrígelos y después lab guide test tiny"
    )


def test_a_proof_as_json() -> None:
    text = proof_json(BAD, language="en")
    assert not any(character in text for character in "\x1b\x07\u202e")
    data = json.loads(text)
    assert list(data) == ["version", "guide", "box", "proven", "steps", "findings"]
    assert (data["version"], data["guide"], data["box"], data["proven"]) == (
        1,
        "tiny",
        "debian-12",
        False,
    )
    assert data["steps"][0] == {
        "step": "web",
        "title": "The web",
        "scope": "class",
        "exit_code": 0,
        "again_exit_code": 0,
        "changed": 12,
        "restarted": [],
        "stopped": [],
        "checks": 1,
        "passed_before": 0,
        "passed_after": 0,
        "seconds": 12.34,
    }
    assert [it["exit_code"] for it in data["steps"]] == [0, 7, None]
    assert data["findings"][0] == {
        "kind": "check.not_passed",
        "step": "web",
        "check": "web.a",
        "after": "web",
        "message": f"web.a does not pass after its step web: {HOSTILE}",
        "advice": "Mend steps/web.sh, or what the check asks for.",
        "details": [],
    }
    assert len(data["findings"][1]["details"]) == 12
    assert json.loads(proof_json(GOOD, language="en"))["proven"]


def test_the_guides_that_there_are() -> None:
    guides = [
        GuideSummary(name="mine", title=BOTH, steps=2, checks=4, folder="/x/mine", shipped=False),
        GuideSummary(
            name="odd",
            title={},
            steps=0,
            checks=0,
            folder="/x/odd",
            shipped=False,
            problem="odd/guide.yaml has 1 problem\nodd/guide.yaml:1:1: a guide needs steps",
        ),
        GuideSummary(name="web", title=BOTH, steps=3, checks=9, folder="/lab/web", shipped=True),
    ]
    stream = io.StringIO()
    console = console_for(stream, {"COLUMNS": "80", "NO_COLOR": "1"})
    guides_table(guides, console=console, language="es")
    assert [line.rstrip() for line in stream.getvalue().splitlines()] == [
        "guide  title   steps  checks  folder",
        "─────────────────────────────────────────",
        "mine   La web      2       4  /x/mine",
        "odd                0       0  /x/odd",
        "web    La web      3       9  (lab's own)",
        "",
        "odd",
        "  odd/guide.yaml has 1 problem",
        "  odd/guide.yaml:1:1: a guide needs steps",
    ]
    [mine, odd, web] = json.loads(guides_json(guides, language="en"))["guides"]
    assert mine == {
        "name": "mine",
        "title": "The web",
        "steps": 2,
        "checks": 4,
        "folder": "/x/mine",
        "shipped": False,
        "problem": None,
    }
    assert (odd["problem"] is None, web["shipped"]) == (False, True)
