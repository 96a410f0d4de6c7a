"""What a running check asked and was answered: kept as evidence, should it fail."""

from __future__ import annotations

from lab.checks.evidence import OUTPUT_CHARACTERS, shortened

# The last ones say the most; a check that waits for something asks the same again and again.
_KEPT = 5
_COMMAND_CHARACTERS = 600
_ANSWER_LINES = 16
_ANSWER_CHARACTERS = 1200


class Transcript:
    """The last commands of one check, each with its answer, cut short as it is noted."""

    def __init__(self) -> None:
        self._entries: list[tuple[str, str]] = []

    def clear(self) -> None:
        """Forget what was noted: another check begins."""
        self._entries.clear()

    def note(self, command: str, answer: str = "", *, where: str = "") -> None:
        """Note a command and what it said.

        Args:
            command: as one would type it.
            answer: what it said.
            where: whose prompt it was typed at; nothing for root's in the guest.
        """
        prompt = f"{where}$ "
        line = prompt + shortened(command.strip(), _COMMAND_CHARACTERS)
        if self._entries and self._entries[-1][0] == line:
            self._entries.pop()
        self._entries.append((line, _trimmed(answer)))
        del self._entries[:-_KEPT]

    def text(self) -> str:
        """All of it, oldest first; where that is too much, the newest."""
        blocks = ["\n".join(part for part in entry if part) for entry in self._entries]
        while len(blocks) > 1 and len("\n".join(blocks)) > OUTPUT_CHARACTERS:
            del blocks[0]
        return shortened("\n".join(blocks), OUTPUT_CHARACTERS)


def answer_of(stdout: str, stderr: str, exit_code: int) -> str:
    """What a command said, and its exit code where that is not 0."""
    parts = [stdout.strip("\n"), stderr.strip("\n"), f"exit code {exit_code}" if exit_code else ""]
    return "\n".join(part for part in parts if part)


def _trimmed(answer: str) -> str:
    """The first and the last lines; how many are not shown stands between them."""
    lines = answer.splitlines()
    if len(lines) > _ANSWER_LINES:
        half = _ANSWER_LINES // 2
        left_out = len(lines) - 2 * half
        lines = [*lines[:half], f"[… {left_out} lines …]", *lines[-half:]]
    return shortened("\n".join(lines), _ANSWER_CHARACTERS)
