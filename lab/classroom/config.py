"""Reads labs.yaml and its rosters into a class, or tells every problem of them all at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lab.classroom import yaml_source
from lab.classroom.classes import Classroom, GuestSettings, Lab, MachineSize, Student
from lab.classroom.entries import SECRET_KEYS, DefaultsEntry, LabEntry, LabsFile, StudentEntry
from lab.classroom.explain import valid, validate
from lab.classroom.fields import is_host_name
from lab.classroom.merge import LabSettings
from lab.classroom.problems import Problem, config_error, did_you_mean, quoted
from lab.classroom.roster import Person, scan_roster
from lab.classroom.roster_logins import Holder
from lab.classroom.source import Location, Source
from lab.errors import ConfigError

__all__ = ["Classroom", "GuestSettings", "Lab", "MachineSize", "Student", "load_classroom"]


def load_classroom(path: Path, *, holders: Sequence[Holder] = ()) -> Classroom:
    """The class that the labs.yaml at `path` describes.

    Args:
        path: the labs.yaml.
        holders: who had which login, and keeps it when a namesake joins.

    Raises:
        ConfigError: there is none, or it or a roster has problems; `details` holds them all.
    """
    path = path.absolute()
    if not path.exists():
        raise ConfigError(
            f"There is no {path.name} in {path.parent}", hint="to write one: lab init"
        )
    source = yaml_source.read(path, secret_keys=SECRET_KEYS)
    builder = _Builder(source, path.parent, holders)
    labs = builder.labs() if source.complete else ()
    problems = [*source.problems, *builder.problems]
    if problems:
        raise config_error(problems, hint=f"edit {problems[0].file}, then: lab validate")
    return Classroom(
        path=path, labs=labs, notes=tuple(builder.notes), warnings=tuple(builder.warnings)
    )


def labs_of_roster(labs_yaml: Path, roster: Path) -> frozenset[str]:
    """The labs of a labs.yaml whose roster that file is; none where it says nothing of it."""
    named = rosters_of(labs_yaml)
    return frozenset(name for name, path in named.items() if path == roster.resolve())


def rosters_of(labs_yaml: Path) -> dict[str, Path]:
    """The file of each lab's roster, resolved; of a labs.yaml with problems what can be read."""
    try:
        source = yaml_source.read(labs_yaml, secret_keys=SECRET_KEYS)
    except ConfigError:
        return {}
    labs = source.data.get("labs") if isinstance(source.data, dict) else None
    return {
        str(name): (labs_yaml.parent / named).resolve()
        for name, entry in (labs.items() if isinstance(labs, dict) else ())
        if isinstance(entry, dict) and isinstance(named := entry.get("roster"), str)
    }


class _Builder:
    """Makes labs out of the entries, and notes what cannot be."""

    def __init__(self, source: Source, folder: Path, holders: Sequence[Holder]) -> None:
        self._source = source
        self._folder = folder
        self._holders = holders
        self._rosters: dict[str, tuple[Person, ...]] = {}
        self._owners: dict[str, tuple[str, str]] = {}
        self._labs_of: dict[str, set[str]] = {}
        self.problems: list[Problem] = []
        self.notes: list[str] = []
        self.warnings: list[str] = []

    def labs(self) -> tuple[Lab, ...]:
        """The labs that can be made, in the order of the file."""
        file, self.problems = validate(LabsFile, self._source.data, self._source)
        if file is None:
            defaults, entries = self._what_is_valid()
        else:
            defaults, entries = file.defaults or DefaultsEntry(), file.labs
            if not entries:
                self._note(("labs",), "`labs` is empty: it needs one lab at least", at_key=True)
        for name, entry in entries.items():
            self._labs_of.setdefault(entry.roster or "", set()).add(name)
        labs = [
            self._lab(LabSettings(name, entry, defaults), entry) for name, entry in entries.items()
        ]
        return tuple(lab for lab in labs if lab is not None)

    def _what_is_valid(self) -> tuple[DefaultsEntry, dict[str, LabEntry]]:
        """Of a file with problems, the labs that have none: their rosters want a look too."""
        data = self._source.data if isinstance(self._source.data, dict) else {}
        defaults = valid(DefaultsEntry, data.get("defaults") or {})
        raw = data.get("labs")
        if defaults is None or not isinstance(raw, dict):
            return DefaultsEntry(), {}
        found = {name: valid(LabEntry, entry) for name, entry in raw.items()}
        return defaults, {name: entry for name, entry in found.items() if entry is not None}

    def _lab(self, settings: LabSettings, entry: LabEntry) -> Lab | None:
        noted = len(self.problems)
        own = {student.login: student for student in entry.students or ()}
        self._refuse_repeated(settings.name, entry.students or ())
        people = self._people(settings.name, entry)
        self._check_certificates(settings)
        self._check_vhosts(settings, people)
        if len(self.problems) > noted:
            return None
        students = tuple(settings.student(person, own.get(person.login)) for person in people)
        for student in students:
            self._claim(settings.name, student)
        return Lab(
            name=settings.name,
            guide=settings.guide,
            box=settings.box,
            provider=settings.provider,
            domain=settings.domain,
            machine=settings.machine,
            vars=settings.vars,
            guest=settings.guest(self._folder),
            students=students,
            lang=settings.lang,
            isolated=settings.isolated,
            internet=settings.internet,
        )

    def _people(self, lab: str, entry: LabEntry) -> tuple[Person, ...]:
        """Who is in the lab: the roster's people, or those that labs.yaml lists."""
        students = entry.students or ()
        if entry.roster is None:
            if not students:
                self._note(
                    ("labs", lab),
                    f"lab {quoted(lab)} has no students: give it `roster: students.csv`"
                    " or `students: [ana, luis]`",
                    at_key=True,
                )
            return tuple(_person(student) for student in students)
        people = self._roster(entry.roster, ("labs", lab, "roster"))
        known = {person.login for person in people}
        for index, student in enumerate(students):
            if people and student.login not in known:
                ending = did_you_mean(student.login, known)
                self._note(
                    self._login_place(lab, index),
                    f"{quoted(student.login)} is not on {quoted(entry.roster)}{ending}",
                )
        return people

    def _roster(self, roster: str, location: Location) -> tuple[Person, ...]:
        """The people on a roster, which is read once however many labs name it."""
        if roster in self._rosters:
            return self._rosters[roster]
        self._rosters[roster] = ()
        path = self._folder / roster
        if not path.is_file():
            self._note(location, f"there is no file {quoted(roster)} beside {self._source.name}")
            return ()
        holders = [it for it in self._holders if it.lab in self._labs_of[roster]]
        try:
            read = scan_roster(path, name=roster, holders=holders)
        except ConfigError as error:
            self._note(location, f"{quoted(roster)} cannot be read: {error.details}")
            return ()
        self.problems += read.problems
        self.notes += map(str, read.notes)
        self.warnings += map(str, read.warnings)
        if not read.rows and not read.problems:
            self._note(location, f"{quoted(roster)} has a line of column names and no students")
        if not read.problems:
            self._rosters[roster] = read.people
        return self._rosters[roster]

    def _refuse_repeated(self, lab: str, students: Sequence[StudentEntry]) -> None:
        first: dict[str, int] = {}
        for index, student in enumerate(students):
            location = self._login_place(lab, index)
            line = self._source.place(location).line
            if student.login in first:
                before = first[student.login]
                self._note(
                    location, f"{quoted(student.login)} is listed twice, first on line {before}"
                )
            first.setdefault(student.login, line)

    def _check_certificates(self, settings: LabSettings) -> None:
        file = settings.guest(self._folder).ca_certificates
        if isinstance(file, Path) and not file.is_file():
            self._note_once(
                settings.certificates_place(),
                f"there is no file {quoted(file.name)} there; `host` takes this computer's",
            )

    def _check_vhosts(self, settings: LabSettings, people: Sequence[Person]) -> None:
        problem = settings.vhost_problem()
        if problem:
            self._note(settings.vhost_place(), problem, at_key=len(settings.vhost_place()) < 3)
            return
        for person in people:
            vhost = settings.vhost(person.login)
            if not is_host_name(vhost):
                self._note(
                    settings.vhost_place(),
                    f"the virtual host of {quoted(person.login)} would be {quoted(vhost)},"
                    " which is not a host name",
                )
                # One person shows what is wrong with a template; thirty would hide it.
                return

    def _claim(self, lab: str, student: Student) -> None:
        """Gives the machine's name to `student`: `a-b` + `c` and `a` + `b-c` make the same one."""
        owner = self._owners.setdefault(student.machine_name, (lab, student.login))
        if owner != (lab, student.login):
            self._note(
                ("labs", lab),
                f"the machine of {quoted(student.login)} would be called"
                f" {quoted(student.machine_name)}, as that of {quoted(owner[1])}"
                f" in lab {quoted(owner[0])}:"
                " rename one of the labs",
                at_key=True,
            )

    def _login_place(self, lab: str, index: int) -> Location:
        location: Location = ("labs", lab, "students", index)
        with_key: Location = (*location, "login")
        return with_key if with_key in self._source.values else location

    def _note(self, location: Location, text: str, *, at_key: bool = False) -> None:
        self.problems.append(self._source.problem(location, text, at_key=at_key))

    def _note_once(self, location: Location, text: str) -> None:
        """A problem of the defaults is every lab's, and is told once."""
        problem = self._source.problem(location, text)
        if problem not in self.problems:
            self.problems.append(problem)


def _person(student: StudentEntry) -> Person:
    return Person(
        login=student.login,
        name=student.name or student.login,
        email=student.email or "",
        id_number=student.id_number or "",
        line=0,
    )
