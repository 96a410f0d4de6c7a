"""Finds what ships with lab beside its code: guides, the Vagrantfile's template, schema, sample."""

from __future__ import annotations

import re
from pathlib import Path

from lab.errors import HostError

_PACKAGE = Path(__file__).resolve().parents[1]


def shipped(name: str) -> Path:
    """The file or folder `name`: inside the installed package, or beside it in a checkout.

    Raises:
        HostError: this installation lacks it.
    """
    for folder in (_PACKAGE / "_data", _PACKAGE.parent):
        if (folder / name).exists():
            return folder / name
    raise HostError(
        f"This installation of lab lacks {name}",
        details=f"looked in {_PACKAGE / '_data'} and {_PACKAGE.parent}",
        hint="install lab again: pip install --force-reinstall lab",
    )


def sample_labs_yaml(*, box: str = "ubuntu-18.04") -> str:
    """The sample labs.yaml that `lab init` writes, for machines of `box`."""
    text = shipped("labs.yaml").read_text(encoding="utf-8")
    return re.sub(r"(?m)^(  box: )\S+", lambda match: match[1] + _scalar(box), text, count=1)


def _scalar(text: str) -> str:
    plain = re.fullmatch(r"[a-z][-a-z0-9./_]*", text)
    return text if plain else "'" + text.replace("'", "''") + "'"
