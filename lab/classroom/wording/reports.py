"""What reports say of a class."""

from __future__ import annotations

TEXTS: dict[str, dict[str, str]] = {}
