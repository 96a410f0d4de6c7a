"""What is on a student's handout."""

from __future__ import annotations

TEXTS: dict[str, dict[str, str]] = {}
