"""What the shipped guides say to students: in every language, with hints that teach before they tell."""

from __future__ import annotations

import re
import runpy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lab.checks.spec import CheckSpec, problems_of, read_spec
from lab.classroom.guide import Guide, load_guide
from lab.classroom.shipped import shipped
from lab.classroom.wording import LANGUAGES

PROVISION = shipped("provision")
GUIDES = sorted(path.parent.name for path in PROVISION.glob("*/guide.yaml"))


def guide_of(name: str) -> Guide:
    return load_guide(name, project=PROVISION.parent)


def checks_of(guide: Guide) -> list[CheckSpec]:
    """The marks of a guide's checks in the order in which they are run; nothing is run here."""
    steps = [step.name for step in guide.steps]
    specs = []
    for file in sorted(guide.checks.glob("test_*.py")):
        for test in functions_of(file):
            [mark] = [mark for mark in test.pytestmark if mark.name == "check"]
            specs.append(read_spec(mark.kwargs, where=file.name, steps=steps))
    return sorted(specs, key=lambda spec: steps.index(spec.step))


def functions_of(file: Path) -> list[Any]:
    # Unlike an import, this leaves no compiled file beside the guide's.
    return [value for name, value in runpy.run_path(str(file)).items() if name.startswith("test_")]


CHECKS = [
    pytest.param(spec, id=f"{name}:{spec.id}")
    for name in GUIDES
    for spec in checks_of(guide_of(name))
]


def commands_in(text: str) -> list[str]:
    """What stands in backquotes and has more than one word: a command, or a line to write."""
    return [span for span in re.findall(r"`([^`]*)`", text) if " " in span]


def is_said_everywhere(texts: Mapping[str, str]) -> bool:
    return set(texts) == set(LANGUAGES) and all(
        text.strip() == text != "" for text in texts.values()
    )


@pytest.mark.parametrize("name", GUIDES)
def test_titles_of_guide_and_steps_are_in_every_language(name: str) -> None:
    guide = guide_of(name)
    assert [
        title
        for title in (guide.title, *(step.title for step in guide.steps))
        if not is_said_everywhere(title)
    ] == []


@pytest.mark.parametrize("name", GUIDES)
def test_students_are_told_what_to_do_first_in_every_language(name: str) -> None:
    handout = guide_of(name).handout
    assert set(handout) == set(LANGUAGES)
    commands = [[commands_in(line) for line in handout[language]] for language in LANGUAGES]
    assert commands[0] == commands[1] != []


@pytest.mark.parametrize("name", GUIDES)
def test_ids_are_unique_begin_with_their_step_and_come_after_earlier_ones(name: str) -> None:
    specs = checks_of(guide_of(name))
    assert problems_of(specs) == []
    assert [spec.id for spec in specs if not spec.id.startswith(f"{spec.step}.")] == []


@pytest.mark.parametrize("spec", CHECKS)
def test_a_check_says_what_it_is_about_and_has_two_hints(spec: CheckSpec) -> None:
    for texts in (spec.title, spec.hint, spec.full_hint):
        assert is_said_everywhere(texts)


@pytest.mark.parametrize("spec", CHECKS)
def test_a_hint_does_not_give_the_answer_away(spec: CheckSpec) -> None:
    for language in LANGUAGES:
        hint, answer = spec.hint[language], spec.full_hint[language]
        assert answer not in hint
        for command in commands_in(answer):
            assert command not in hint
        assert not re.search(r"\bsudo \S+ \S", hint)


@pytest.mark.parametrize("spec", CHECKS)
def test_every_language_has_the_same_commands(spec: CheckSpec) -> None:
    for texts in (spec.title, spec.hint, spec.full_hint):
        assert len({len(commands_in(text)) for text in texts.values()}) == 1


def test_hellopython_is_worth_sixty_points_and_hides_what_is_no_exercise() -> None:
    specs = checks_of(guide_of("hellopython"))
    assert (len(specs), sum(spec.points for spec in specs)) == (45, 60)
    assert [spec.id for spec in specs if spec.hidden] == [
        "account.no_sudo",
        "account.confined",
        "program.commands",
    ]
