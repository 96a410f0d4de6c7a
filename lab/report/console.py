"""The console that every table, error and progress display is drawn on."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TextIO

from rich.console import Console

# Rich's Console too: `lab.cli` names its type, and imports nothing of rich.
__all__ = ["Console", "console_for"]


def console_for(stream: TextIO, env: Mapping[str, str]) -> Console:
    """Return a console on `stream` that obeys no markup or emoji code in what it is given.

    Colour is for a terminal, or for anything where FORCE_COLOR is set to more than `0`; NO_COLOR
    wins over both, and then there is not one escape sequence for style. Being a terminal (and so
    showing live rows) is never forced: a coloured log file is wanted, a log file full of cursor
    movements is not.

    A character that the stream's encoding lacks is written as an escape instead of ending the
    program.
    """
    if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
        stream.reconfigure(errors="backslashreplace")
    terminal = stream.isatty()
    colour = _wants_colour(env, terminal=terminal)
    return Console(
        file=stream,
        force_terminal=terminal,
        color_system="standard" if colour else None,
        no_color=not colour,
        markup=False,
        emoji=False,
        highlight=False,
        legacy_windows=False,
        _environ=env,
    )


def _wants_colour(env: Mapping[str, str], *, terminal: bool) -> bool:
    if env.get("NO_COLOR"):
        return False
    if env.get("FORCE_COLOR", "") not in {"", "0"}:
        return True
    return terminal and env.get("TERM", "").lower() not in {"dumb", "unknown"}
