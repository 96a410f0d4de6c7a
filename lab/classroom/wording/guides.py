"""What the proof of a guide says."""

from __future__ import annotations

TEXTS: dict[str, dict[str, str]] = {}
