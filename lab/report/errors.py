"""How an error is told: what happened, why and where, what to try, where the whole story is."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from lab.errors import LabError
from lab.report.text import inert_block


def show_error(error: LabError, *, console: Console) -> None:
    """Print an error; its details are never wrapped: a caret stays under its word."""
    message = Text.assemble(("Error: ", "bold red"), Text(inert_block(error.message), style="bold"))
    console.print(message, soft_wrap=True)
    if error.details:
        for line in inert_block(error.details).strip("\n").split("\n"):
            console.print(Text(f"  {line}".rstrip()), soft_wrap=True)
    if error.hint:
        hint = inert_block(error.hint).replace("\n", "\n     ")
        console.print(Text.assemble(("Try: ", "bold cyan"), hint), soft_wrap=True)
    if error.log is not None:
        log = inert_block(str(error.log))
        console.print(Text.assemble(("Log: ", "bold"), log), soft_wrap=True)
