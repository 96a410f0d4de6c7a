"""`lab guide new` and `lab guide list`: the guides that there are, and the beginning of another."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from lab.classroom.fields import GUIDE_PATTERN
from lab.classroom.guide import FOLDER, Guide, guide_names, load_guide
from lab.classroom.proofs import GuideSummary
from lab.classroom.shipped import shipped
from lab.errors import ConfigError, UsageError
from lab.system.files import write_tree

_SCAFFOLD = "scaffold"
# A guide.yaml by that name would make a guide of the scaffold itself.
_YAML = "guide.yaml.new"
_NAME = "NAME"
_MARK = "pytest.mark.check"


def new_guide(name: str, *, project: Path) -> Path:
    """Write a small guide that works, to begin with; its folder.

    It is written whole or not at all.

    Args:
        name: what it is to be called.
        project: the folder of labs.yaml.

    Raises:
        UsageError: there is something of that name, or a guide cannot be called so.
        LabError: it could not be written.
    """
    if not re.fullmatch(GUIDE_PATTERN, name):
        raise UsageError(
            f"{name!r} is not a guide's name",
            hint="Use a-z, 0-9 and -, a letter first, 40 at most: lab guide new my-guide",
        )
    folder = project / FOLDER / name
    if folder.exists() or folder.is_symlink():
        raise UsageError(
            f"{folder} is there already",
            hint=f"Edit it, then: lab guide test {name}; or choose another name",
        )
    if name in guide_names(shipped(FOLDER)):
        raise UsageError(
            f"lab has a guide {name} of its own, and yours would take its place",
            hint="Choose another name",
        )
    scaffold = shipped(FOLDER) / _SCAFFOLD
    texts = {
        str(path.relative_to(scaffold)).replace(_YAML, "guide.yaml"): path.read_text(
            encoding="utf-8"
        ).replace(_NAME, name)
        for path in sorted(scaffold.rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
    }
    write_tree(folder, texts)
    return folder


def list_guides(project: Path) -> list[GuideSummary]:
    """The guides that a labs.yaml in `project` can name, by name: its own, and those of lab."""
    own, lab_s = project.absolute() / FOLDER, shipped(FOLDER)
    names = sorted(guide_names(own) | guide_names(lab_s))
    return [
        _summary(name, project, folder=own / name if name in guide_names(own) else lab_s / name)
        for name in names
    ]


def _summary(name: str, project: Path, *, folder: Path) -> GuideSummary:
    is_shipped = folder.parent == shipped(FOLDER)
    try:
        guide = load_guide(name, project=project)
    except ConfigError as error:
        return GuideSummary(
            name=name,
            title={},
            steps=0,
            checks=0,
            folder=str(folder),
            shipped=is_shipped,
            problem=error.in_words(),
        )
    return GuideSummary(
        name=name,
        title=guide.title,
        steps=len(guide.steps),
        checks=_count_checks(guide),
        folder=str(folder),
        shipped=is_shipped,
    )


def _count_checks(guide: Guide) -> int:
    """How many checks a guide has, by reading them; collecting them would take half a second."""
    count = 0
    for path in sorted(guide.checks.rglob("test_*.py")):
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, SyntaxError):
            continue
        count += sum(
            isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == _MARK
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef)
            for decorator in node.decorator_list
        )
    return count
