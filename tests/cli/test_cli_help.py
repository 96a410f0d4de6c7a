"""What every command says of itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lab import __version__
from lab.cli.app import app
from lab.errors import OK, USAGE

Lab = Callable[..., Any]


def commands() -> Iterator[tuple[str, ...]]:
    """The words of every command."""
    for command in app.registered_commands:
        assert command.callback is not None
        yield (command.name or command.callback.__name__,)
    for group in app.registered_groups:
        assert group.typer_instance is not None
        for command in group.typer_instance.registered_commands:
            yield (str(group.name), str(command.name))


COMMANDS = sorted(commands())


def test_the_commands_that_a_class_needs_are_there() -> None:
    needed = [
        "init",
        "validate",
        "up",
        "provision",
        "verify",
        "status",
        "ssh",
        "logs",
        "halt",
        "destroy",
    ]
    assert {(word,) for word in needed} | {
        ("box", "build"),
        ("box", "list"),
        ("box", "add"),
    } <= set(COMMANDS)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_shows_an_example_of_itself(lab: Lab, words: tuple[str, ...]) -> None:
    ran = lab(*words, "--help")
    assert (ran.code, ran.err) == (OK, "")
    examples = re.findall(r"Example: (lab .*?)(?= Example: | {2}|$)", ran.said)
    assert examples
    for example in examples:
        assert f"{example} ".startswith(f"lab {' '.join(words)} ")
    assert lab(*words, "-h").out == ran.out


@pytest.mark.parametrize("words", [("--help",), ("box", "--help"), ()])
def test_the_commands_are_listed(lab: Lab, words: tuple[str, ...]) -> None:
    ran = lab(*words)
    assert ran.code == (OK if words else USAGE)
    listed = {name for *group, name in COMMANDS if group == list(words[:-1])}
    assert listed
    assert all(name in ran.said for name in listed)


def test_the_version(lab: Lab) -> None:
    assert lab("--version").out == f"lab {__version__}\n"


@pytest.mark.parametrize(
    "words",
    [
        ("upp",),
        ("up", "--no-such-flag"),
        ("up", "--jobs", "0"),
        ("up", "--jobs", "many"),
        ("status", "--format", "xml"),
        ("ssh",),
        ("logs", "-n", "0"),
        ("box",),
        ("box", "build"),
        ("box", "add", "one"),
        ("halt", "--wait", "soon"),
    ],
    ids=" ".join,
)
def test_what_is_no_command_is_2(lab: Lab, words: tuple[str, ...]) -> None:
    ran = lab(*words)
    assert ran.code == USAGE
    assert ran.said


def test_colour_is_asked_for_and_refused(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab("up", "ana")
    assert "\x1b" not in lab("status").out
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" in lab("status").out
    assert "\x1b[" in lab("status", "nobody").err
    monkeypatch.setenv("NO_COLOR", "1")
    for words in (("status",), ("status", "nobody")):
        ran = lab(*words)
        assert "\x1b" not in ran.out + ran.err, words
    # What Typer says itself may still be bold.
    for words in (("up", "--no-such-flag"), ("--help",)):
        ran = lab(*words)
        assert not re.search(r"\x1b\[(\d+;)*[349][0-7]", ran.out + ran.err), words
