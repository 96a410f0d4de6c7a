"""Reads a guide: the folder under `provision/` that says what is done to a machine, in order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field

from lab.classroom import yaml_source
from lab.classroom.classes import Lab, Student
from lab.classroom.explain import validate
from lab.classroom.fields import (
    AuthorsLanguage,
    Frozen,
    GuideName,
    Text,
    TrueFalse,
    Variables,
    matching,
    one_of,
    text,
)
from lab.classroom.problems import Problem, config_error, did_you_mean, quoted
from lab.classroom.shipped import shipped
from lab.classroom.source import Location, Source
from lab.errors import ConfigError

FOLDER = "provision"
SCOPES = ("class", "student")

Titles = dict[AuthorsLanguage, Text]
Lines = dict[AuthorsLanguage, tuple[Text, ...]]
StepName = Annotated[
    str,
    BeforeValidator(text),
    AfterValidator(
        matching("^[a-z][-a-z0-9_]{0,39}$", "is not a step's name: use a-z, 0-9, - and _")
    ),
]
Scope = Annotated[str, BeforeValidator(text), AfterValidator(one_of(*SCOPES))]


class _ProfileEntry(Frozen):
    noun: ClassVar[str] = "a profile"

    vars: Variables | None = None


class _StepEntry(Frozen):
    noun: ClassVar[str] = "a step"

    name: StepName
    scope: Scope
    title: Titles
    files: tuple[Text, ...] = ()
    downloads: TrueFalse | None = None


class _GuideEntry(Frozen):
    noun: ClassVar[str] = "a guide"

    name: GuideName
    title: Titles
    handout: Annotated[Lines, Field(default_factory=dict)]
    profiles: Annotated[dict[Text, _ProfileEntry | None], Field(default_factory=dict)]
    steps: tuple[_StepEntry, ...]


class Profile(Frozen):
    """What the guide defaults to on one box."""

    vars: dict[str, str]


class Step(Frozen):
    """One script of a guide, and in `files` what else it reads; all paths are absolute.

    `downloads` says whether it needs the internet, where nothing of it is there yet.
    """

    name: str
    scope: str
    title: dict[str, str]
    script: Path
    files: tuple[Path, ...] = ()
    downloads: bool = False


class Guide(Frozen):
    """A guide: `folder` is where it stands, `steps` are in the order in which they run.

    `handout` is what a student does first, line by line, in each language that it was written in.
    What stands between backticks is to be typed.
    """

    name: str
    folder: Path
    title: dict[str, str]
    profiles: dict[str, Profile]
    steps: tuple[Step, ...]
    handout: dict[str, tuple[str, ...]] = Field(default_factory=dict)

    @property
    def checks(self) -> Path:
        """The folder of the checks; a guide without any has no such folder."""
        return self.folder / "checks"

    @property
    def wheels(self) -> Path:
        """The script that gathers the Python packages that students may install offline.

        Most guides have none.
        """
        return self.folder / "wheels.sh"

    def default_vars(self, box: str) -> dict[str, str]:
        """The variables that the guide defaults to on `box`; none for a box it does not know."""
        profile = self.profiles.get(box)
        return dict(profile.vars) if profile else {}


def variables(guide: Guide, lab: Lab, student: Student) -> dict[str, str]:
    """What steps and checks get: the student's over the lab's over the guide's for the box."""
    return {**guide.default_vars(lab.box), **lab.vars, **student.vars}


def load_guide(name: str, *, project: Path) -> Guide:
    """The guide called `name`: the teacher's own in `project`, or else the one that ships with lab.

    Raises:
        ConfigError: there is none, or its guide.yaml has problems; `details` holds them all.
    """
    roots = (project.absolute() / FOLDER, shipped(FOLDER))
    folder = next((root / name for root in roots if name in guide_names(root)), None)
    if folder is None:
        known = sorted({name for root in roots for name in guide_names(root)})
        raise ConfigError(
            f"There is no guide called {quoted(name)}{did_you_mean(name, known)}",
            details=f"guides: {', '.join(known) or 'none'}\nlooked in {roots[0]} and {roots[1]}",
            hint="correct `guide:` in labs.yaml, or write the guide",
        )
    return _load(folder)


def guide_names(root: Path) -> set[str]:
    """The guides in a folder; one whose name begins with a dot is still being written."""
    names = {path.parent.name for path in root.glob("*/guide.yaml")}
    return {name for name in names if not name.startswith(".")}


def _load(folder: Path) -> Guide:
    source = yaml_source.read(folder / "guide.yaml", name=f"{FOLDER}/{folder.name}/guide.yaml")
    entry: _GuideEntry | None = None
    problems: list[Problem] = []
    if source.complete:
        entry, problems = validate(_GuideEntry, source.data, source)
    if entry is not None:
        problems += _lacks(entry, folder, source)
    problems = [*source.problems, *problems]
    if problems or entry is None:
        raise config_error(problems, hint=f"edit {folder / 'guide.yaml'}")
    return Guide(
        name=entry.name,
        folder=folder,
        title=dict(entry.title),
        profiles={
            box: Profile(vars=dict((profile and profile.vars) or {}))
            for box, profile in entry.profiles.items()
        },
        steps=tuple(_step(step, folder) for step in entry.steps),
        handout=dict(entry.handout),
    )


def _step(entry: _StepEntry, folder: Path) -> Step:
    return Step(
        name=entry.name,
        scope=entry.scope,
        title=dict(entry.title),
        script=_script(entry, folder),
        files=tuple(folder / file for file in entry.files),
        # Class steps install packages, student steps arrange what these have brought.
        downloads=entry.scope == "class" if entry.downloads is None else entry.downloads,
    )


def _script(entry: _StepEntry, folder: Path) -> Path:
    return folder / "steps" / f"{entry.name}.sh"


def _lacks(entry: _GuideEntry, folder: Path, source: Source) -> list[Problem]:
    """What guide.yaml names and the folder does not have, and names given twice."""
    problems = []
    if entry.name != folder.name:
        sentence = f"the guide is called {quoted(entry.name)} and its folder {quoted(folder.name)}"
        problems.append(source.problem(("name",), sentence))
    if not entry.steps:
        problems.append(source.problem(("steps",), "a guide needs one step at least"))
    names = [step.name for step in entry.steps]
    scopes = [step.scope for step in entry.steps]
    for index, step in enumerate(entry.steps):
        place: Location = ("steps", index, "name")
        if step.name in names[:index]:
            problems.append(
                source.problem(place, f"there are two steps called {quoted(step.name)}")
            )
        if step.scope == "class" and "student" in scopes[:index]:
            sentence = "class steps come first: they are done once for everybody"
            problems.append(source.problem(("steps", index, "scope"), sentence))
        if not _script(step, folder).is_file():
            script = f"steps/{step.name}.sh"
            problems.append(source.problem(place, f"its script {quoted(script)} does not exist"))
        problems += _missing_files(step.files, ("steps", index, "files"), folder, source)
    return problems


def _missing_files(
    files: Sequence[str], location: Location, folder: Path, source: Source
) -> list[Problem]:
    problems = []
    for index, file in enumerate(files):
        path = folder / file
        if not path.resolve().is_relative_to(folder.resolve()):
            sentence = f"{quoted(file)} lies outside of the guide"
        elif not path.exists():
            sentence = f"{quoted(file)} does not exist in the guide"
        else:
            continue
        problems.append(source.problem((*location, index), sentence))
    return problems
