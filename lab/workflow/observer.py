"""How a workflow tells what it is doing; whoever shows it to a person implements this."""

from __future__ import annotations

from typing import Protocol


class Observer(Protocol):
    """Told of a workflow's progress, in the main thread only."""

    def started(self, total: int, what: str) -> None:
        """A stage of `total` machines begins; `what` says what happens to them."""

    def machine(self, name: str, activity: str) -> None:
        """A machine is now doing something."""

    def done(self, name: str, *, ok: bool, summary: str) -> None:
        """A machine is through with the stage."""

    def note(self, text: str) -> None:
        """Something about the host's own work."""

    def finished(self) -> None:
        """The stage is over."""
