"""`lab verify` for a person: an overview, what each student lacks, the next command."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from lab.classroom.results import LabResult
from lab.classroom.wording import FALLBACK, say
from lab.report.layout import cell
from lab.report.verify_details import details, summary
from lab.report.verify_matrix import matrix


def verify_table(results: tuple[LabResult, ...], *, console: Console) -> None:
    """Print the results; the summary comes last, where a long list leaves the eye."""
    for position, lab in enumerate(results):
        if position:
            console.print()
        _print_lab(lab, console=console)
    if not results:
        console.print(Text(say("reports.nothing_verified", FALLBACK)))


def _print_lab(lab: LabResult, *, console: Console) -> None:
    if lab.students:
        console.print(cell(lab.lab, "bold"))
        console.print(matrix(lab, console=console))
        console.print()
    for student in lab.students:
        lines = tuple(details(student, lab.language, console=console))
        for line in lines:
            console.print(line)
        if lines:
            console.print()
    for line in summary(lab):
        console.print(line)
