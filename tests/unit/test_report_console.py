"""When there is colour, when there are live rows, and that JSON does not wait for rich."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
from rich.text import Text

from lab.report.console import console_for


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "env", "coloured"),
    [
        (io.StringIO, {}, False),
        (io.StringIO, {"FORCE_COLOR": "1"}, True),
        (io.StringIO, {"FORCE_COLOR": "0"}, False),
        (io.StringIO, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        (Terminal, {"TERM": "xterm"}, True),
        (Terminal, {"TERM": "xterm", "NO_COLOR": ""}, True),
        (Terminal, {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (Terminal, {"TERM": "dumb"}, False),
    ],
)
def test_colour(stream: type[io.StringIO], env: dict[str, str], coloured: bool) -> None:
    console = console_for(stream(), env)

    with console.capture() as captured:
        console.print(Text("x", style="bold red"))

    assert captured.get() == ("\x1b[1;31mx\x1b[0m\n" if coloured else "x\n")


def test_forced_colour_does_not_make_a_terminal_of_a_pipe() -> None:
    assert not console_for(io.StringIO(), {"FORCE_COLOR": "1"}).is_terminal


def test_what_the_encoding_lacks_is_escaped() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")

    console_for(stream, {}).print("ñ")

    stream.seek(0)
    assert stream.read() == "\\xf1\n"


def test_json_reports_import_no_rich() -> None:
    code = (
        "import sys, lab.report.verify_json, lab.report.status_json, lab.report.boxes_json;"
        "sys.exit('rich' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
