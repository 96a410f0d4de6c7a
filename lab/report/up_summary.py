"""What `lab up` and `lab provision` end with: who is where, and why the others failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from rich.console import Console, RenderableType
from rich.text import Text

from lab.classroom.results import MachineOutcome
from lab.report.layout import Column, amount, block, cell, listing, natural_width, table
from lab.report.text import inert_line

_TAIL_LINES = 12


def up_summary(outcomes: Sequence[MachineOutcome], *, console: Console) -> None:
    """Print a row a machine, then each failure with its last lines, log and retry command."""
    if not outcomes:
        console.print(Text("There was no machine to bring up."))
        return
    console.print(table(_columns(outcomes, width=console.width), console=console))
    console.print()
    failures = [outcome for outcome in outcomes if not outcome.ok]
    for failure in failures:
        for line in _failure(failure):
            console.print(line)
        console.print()
    console.print(Text(_sentence(outcomes, failures), style="bold"))
    for line in _waiting(outcomes):
        console.print(line)
    console.print(Text(f"Next: {_next(failures)}"))


def _columns(outcomes: Sequence[MachineOutcome], *, width: int) -> list[Column]:
    def column(title: str, show: Callable[[MachineOutcome], Text], **how: bool) -> Column:
        return Column(title=title, cells=tuple(show(outcome) for outcome in outcomes), **how)

    lab = [column("lab", lambda o: cell(o.lab))] if len({o.lab for o in outcomes}) > 1 else []
    columns = [
        *lab,
        column("login", lambda o: cell(o.login)),
        column("result", _result),
        column("seconds", lambda o: Text(f"{o.seconds:.0f}"), right=True),
        column("address", lambda o: cell(o.ip or "-")),
    ]
    with_url = [*columns, column("url", lambda o: cell(o.url or "-"))]
    return with_url if natural_width(with_url) <= width else columns


def _result(outcome: MachineOutcome) -> Text:
    if outcome.ok:
        return Text("ready" if outcome.changed else "unchanged", style="green")
    at = f" at {inert_line(outcome.failed_step)}" if outcome.failed_step else ""
    return Text(f"failed{at}", style="red")


def _failure(outcome: MachineOutcome) -> Iterator[RenderableType]:
    at = f", step {inert_line(outcome.failed_step)}" if outcome.failed_step else ""
    why = f": {inert_line(outcome.message)}" if outcome.message else ""
    yield Text(f"{inert_line(outcome.lab)}/{inert_line(outcome.login)}{at}{why}", style="bold red")
    for line in outcome.tail[-_TAIL_LINES:]:
        yield block(f"| {inert_line(line)}", indent=2)
    if outcome.log:
        yield block(f"log: {inert_line(outcome.log)}", indent=2)
    if outcome.retry:
        yield block(f"retry: {inert_line(outcome.retry)}", indent=2)


def _sentence(outcomes: Sequence[MachineOutcome], failures: Sequence[MachineOutcome]) -> str:
    ready = len(outcomes) - len(failures)
    changed = sum(outcome.ok and outcome.changed for outcome in outcomes)
    is_ready = "is ready" if len(outcomes) == 1 else "are ready"
    sentence = f"{ready} of {amount(len(outcomes), 'machine')} {is_ready}, {changed} changed"
    if failures:
        names = listing([inert_line(failure.login) for failure in failures])
        sentence += f"; {len(failures)} failed: {names}"
    return sentence


def _waiting(outcomes: Sequence[MachineOutcome]) -> Iterator[RenderableType]:
    """Who runs with something else than labs.yaml says, and what helps."""
    several = len({it.lab for it in outcomes}) > 1
    names: dict[str, list[str]] = {}
    for it in outcomes:
        if it.waits:
            name = f"{it.lab}/{it.login}" if several else it.login
            names.setdefault(it.waits, []).append(inert_line(name))
    for why, those in names.items():
        yield block(f"{', '.join(those)}: {inert_line(why)}", indent=2)
    if names:
        halted = " ".join(name for those in names.values() for name in those)
        yield Text(f"That holds from their next start: lab halt {halted}, then lab up")


def _next(failures: Sequence[MachineOutcome]) -> str:
    if not failures:
        return "lab verify"
    retries = [inert_line(failure.retry) for failure in failures if failure.retry]
    if not retries:
        return "lab status, which says how each machine stands"
    if len(retries) == 1:
        return retries[0]
    if all(retry.startswith("lab up ") and "--" not in retry for retry in retries):
        return "lab up, which takes each of them up where it stopped"
    return "the retry commands above: lab up alone does not help all of them"
