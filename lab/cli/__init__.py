"""The command line.

Each command parses, calls a workflow, shows what came of it, and exits with its code.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback

from lab.errors import BUG, INTERRUPTED, LabError


def main() -> None:
    """Run `lab` with this process's arguments, and exit."""
    from lab.cli.app import app

    # Whoever ignores it hands that on, and then no program's exit code can be known.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # A closed terminal and a polite kill are interruptions too: what was begun is tidied up.
    for number in (signal.SIGTERM, signal.SIGHUP):
        # `nohup lab up` is to go on when the terminal is closed.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    try:
        app()
    except LabError as error:
        _show(error)
        sys.exit(error.exit_code)
    except SystemExit as end:
        # Typer has made an exit code of Ctrl-C already.
        if end.code == INTERRUPTED:
            print(
                "\nInterrupted. What was done stands. To go on: the command named above; "
                "where none is, the same command again.",
                file=sys.stderr,
            )
        raise
    except Exception:  # noqa: BLE001 (the top handler: whatever comes here is a bug of lab's)
        traceback.print_exc()
        print(
            "\nThis is a bug in lab, not something that you did. "
            "Please report it with the lines above.",
            file=sys.stderr,
        )
        sys.exit(BUG)


def _show(error: LabError) -> None:
    from lab.report.console import console_for
    from lab.report.errors import show_error

    show_error(error, console=console_for(sys.stderr, os.environ))
