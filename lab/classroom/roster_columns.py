"""What the columns of a roster hold, told by their names and never by their places."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from lab.classroom.problems import quoted


class Role(StrEnum):
    """What lab takes a column for."""

    LOGIN = "login"
    NAME = "name"
    SURNAME_FIRST = "name, surname first"
    FIRST = "first name"
    LAST = "surname"
    SECOND_LAST = "second surname"
    EMAIL = "email"
    ID_NUMBER = "id number"
    GROUP = "group"
    IDENTIFIER = "identifier"
    ROLE = "role in the course"
    UNUSED = "not used"
    UNKNOWN = "unknown"


# A person is told by one of these.
WHO = frozenset(
    {Role.LOGIN, Role.EMAIL, Role.NAME, Role.SURNAME_FIRST, Role.FIRST, Role.IDENTIFIER}
)


def _names(text: str) -> frozenset[str]:
    return frozenset(name.strip() for name in text.split("|"))


# What exports call each column, as `plain` writes it: lower case, no accents, no punctuation. Where
# a role has several lines, a column of an earlier one goes before those of the later ones.
#
# Moodle: lib/tablelib.php and user/participants (First name, Last name or Surname, Email address,
# Groups, ID number), grade/export/lib.php, admin/tool/uploaduser (username, firstname, ...,
# group1), in English and in the Spanish language packs. GitHub Classroom: `identifier,
# github_username, github_id, name`, and `group_name` for group work. Séneca (Andalucía, the listing
# "Alumnado del centro"): Alumno/a, Nº Id. Escolar, Primer apellido, Segundo apellido, Nombre,
# Unidad, Correo Electrónico. XADE (Galicia) writes the report AL956 with semicolons, in
# Windows-1252 or UTF-8; nothing public shows its header line, so these are its forms' words.
NAMES: Mapping[Role, tuple[frozenset[str], ...]] = {
    Role.LOGIN: (
        _names("login"),
        _names("username|user name|usuario|nombre de usuario|nome de usuario"),
        _names("github username|github user|usuario de github"),
    ),
    Role.NAME: (
        _names(
            "name|full name|fullname|student|student name|nombre completo|nome completo"
            "|nombre y apellidos|nombre y apellido s|nome e apelidos"
        ),
    ),
    Role.SURNAME_FIRST: (
        _names(
            "alumno a|alumno|alumna|alumna o|alumnado|apellidos nombre|apellidos y nombre"
            "|apellido s y nombre|apelidos nome|apelidos e nome|surname first name"
            "|last name first name|nombre del alumno|nombre del alumno a|nome do alumno"
            "|nome do alumno a|nome do alumnado"
        ),
    ),
    Role.FIRST: (_names("first name|firstname|given name|nombre|nombre s|nombres|nome"),),
    Role.LAST: (
        _names(
            "surname|last name|lastname|family name|apellido|apellidos|apellido s|apelido|apelidos"
        ),
        _names("primer apellido|primeiro apelido|apellido 1|apelido 1|1er apellido|1o apellido"),
    ),
    Role.SECOND_LAST: (
        _names("segundo apellido|segundo apelido|apellido 2|apelido 2|2o apellido"),
    ),
    Role.EMAIL: (
        _names(
            "email|e mail|mail|email address|e mail address|correo|correo e|correo electronico"
            "|direccion de correo|direccion de correo electronico|direccion email"
            "|direccion de email|direccion e mail|enderezo de correo|enderezo electronico"
            "|enderezo de correo electronico|correo corporativo|correo institucional"
        ),
        _names("correo electronico personal alumno a|correo electronico alumno a|correo personal"),
    ),
    Role.ID_NUMBER: (
        _names("id number|idnumber|numero de id|numero id|numero de identificacion"),
        _names("no id escolar|n id escolar|numero de identificacion escolar|student id"),
    ),
    Role.GROUP: (
        _names("group|groups|grupo|grupos|group1|group name"),
        _names("unidad|unidade"),
    ),
    Role.IDENTIFIER: (_names("identifier|identificador"),),
    Role.ROLE: (_names("roles"), _names("role"), _names("rol"), _names("role1")),
}

# Known, and of no use to a class of machines. A password is among them: it is never looked at. So
# are numbers of identity cards: lab has no need of them, and would spread them.
_UNUSED = _names(
    "password|contrasena|contrasinal|clave|github id|institution|department|institucion"
    "|departamento|city|town|city town|ciudad|country|pais|phone|telefono|movil"
    "|enrol status|last access|last access to course|ultimo acceso|ultimo acceso al curso"
    "|last downloaded from this course|ultima descarga de este curso|course total"
    "|total del curso|status|estado|estatus|grade|calificacion|maximum grade|calificacion maxima"
    "|grade can be changed|la calificacion puede ser cambiada|online text|texto en linea"
    "|feedback comments|comentarios de retroalimentacion|auth|lang|timezone|suspended|deleted"
    "|oldusername|mailformat|maildisplay|mnethostid|interests|theme|description|url"
    "|dni|nif|nie|nif dni|dni nif|dni nie|dni pasaporte|nif dni pasaporte|pasaporte|nia|nuss"
    "|estado matricula|curso|nivel|etapa|ensino|ensinanza|ensenanza|ano de la matricula"
    "|fecha de la matricula|fecha de matricula|matricula|expediente|no expediente"
    "|no del expediente del centro|observaciones|observaciones de la matricula|observacions"
    "|fecha de nacimiento|data de nacemento|lugar de nacimiento|pais de nacimiento|edad|idade"
    "|nacionalidad|nacionalidade|sexo|direccion|enderezo|codigo postal|provincia|concello"
    "|localidad|localidade|localidad de nacimiento|localidad de residencia"
    "|provincia de residencia|telefono de urgencia|telefono personal alumno a|telefono alumno a"
    "|repetidor|repite|custodia|no de matriculas en este curso|no|num|numero de orden|orden"
)
_UNUSED_PATTERNS = tuple(
    re.compile(pattern)
    for pattern in (
        # A gradebook export: `Assignment: one (Real)`, `Tarea:uno (Porcentaje)`, `Feedback: one`.
        r".* (real|percentage|letter|porcentaje|letra)",
        r"(feedback|retroalimentacion|comentarios) .+",
        r"(last modified|ultima modificacion) .+",
        # Moodle's upload of users: `course1`, `role2`, `cohort1`, `profile_field_x`.
        r"(course|role|group|type|cohort|sysrole|enrolperiod|enrolstatus|enroltimestart)\d*",
        r"profile field .+",
        # Séneca's columns of the first and second guardian.
        r".*\b(tutor|tutora|madre|padre|nai|pai)\b.*",
    )
)
_ROLES = {name: role for role, ranks in NAMES.items() for names in ranks for name in names}
_RANKS = {
    name: rank for ranks in NAMES.values() for rank, names in enumerate(ranks) for name in names
}
_CLOSE = 0.8


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column: its place from 0, its name as it is written, what it is taken for, and why."""

    index: int
    title: str
    role: Role
    note: str = ""


def plain(title: str) -> str:
    """A column's name in lower case, without accents and punctuation: `Nº Id.` is `no id`."""
    letters = unicodedata.normalize("NFKD", title.casefold())
    return re.sub("[^a-z0-9]+", " ", "".join(it for it in letters if it.isascii())).strip()


def known_names(cells: Sequence[str]) -> int:
    """How many of the cells are names of columns that lab uses."""
    return sum(plain(cell) in _ROLES for cell in cells)


def tells_who(cells: Sequence[str]) -> bool:
    """Whether one of the cells names a column by which people are told."""
    return any(_ROLES.get(plain(cell)) in WHO for cell in cells)


def is_login_column(columns: Sequence[Column]) -> bool:
    """Whether logins come from a `login` column, and not from another program's user names."""
    return any(it.role is Role.LOGIN and _RANKS[plain(it.title)] == 0 for it in columns)


def columns_of(titles: Sequence[str]) -> tuple[tuple[Column, ...], list[str]]:
    """What each column is taken for, and what is wrong: two columns for the same.

    A column without a name is left out.
    """
    roles = _first_of_each(titles)
    columns: list[Column] = []
    problems: list[str] = []
    for index, title in enumerate(titles):
        if not title:
            continue
        role = _ROLES.get(plain(title))
        if role is None:
            columns.append(_other(index, title, {titles[at] for at in roles.values()}))
        elif roles[role] == index:
            columns.append(Column(index=index, title=title, role=role))
        else:
            first = titles[roles[role]]
            if _RANKS[plain(first)] == _RANKS[plain(title)]:
                problems.append(f"columns {quoted(first)} and {quoted(title)} say the same")
            note = f"{quoted(first)} is taken"
            columns.append(Column(index=index, title=title, role=Role.UNUSED, note=note))
    return _without_moodle_identifier(columns), problems


def _first_of_each(titles: Sequence[str]) -> dict[Role, int]:
    """Of each role the column that is taken: the one of the earliest rank."""
    found: dict[Role, int] = {}
    for index, title in enumerate(titles):
        name = plain(title)
        role = _ROLES.get(name)
        if role is None:
            continue
        if role not in found or _RANKS[name] < _RANKS[plain(titles[found[role]])]:
            found[role] = index
    return found


def _other(index: int, title: str, taken: set[str]) -> Column:
    """A column that lab does not use: known as such, or unknown with what it comes near to."""
    name = plain(title)
    if name in _UNUSED or any(pattern.fullmatch(name) for pattern in _UNUSED_PATTERNS):
        return Column(index=index, title=title, role=Role.UNUSED)
    note = ""
    if near := difflib.get_close_matches(name, sorted(_ROLES), n=1, cutoff=_CLOSE):
        role = _ROLES[near[0]]
        if all(_ROLES.get(plain(it)) is not role for it in taken):
            note = f"did you mean {quoted(near[0])}?"
    return Column(index=index, title=title, role=Role.UNKNOWN, note=note)


def _without_moodle_identifier(columns: list[Column]) -> tuple[Column, ...]:
    """The `Identifier` of a Moodle worksheet is `Participant 12`, which is nobody's name.

    That of GitHub Classroom is what the teacher wrote there.
    """
    if any(plain(it.title).startswith("github") for it in columns):
        return tuple(columns)
    return tuple(
        Column(index=it.index, title=it.title, role=Role.UNUSED)
        if it.role is Role.IDENTIFIER
        else it
        for it in columns
    )
