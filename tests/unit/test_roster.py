"""Rosters in every dialect that schools export, and what is told about broken ones."""

from __future__ import annotations

import csv
import io
import random
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.classroom.logins import login_problem
from lab.classroom.roster import Person, parse_roster, scan_roster
from lab.classroom.roster_columns import Role
from lab.errors import USAGE, ConfigError


def people(raw: str | bytes) -> tuple[Person, ...]:
    roster = parse_roster(raw if isinstance(raw, bytes) else raw.encode(), name="s.csv")
    assert roster.problems == ()
    return roster.people


def told(raw: str | bytes) -> list[str]:
    roster = parse_roster(raw if isinstance(raw, bytes) else raw.encode(), name="s.csv")
    return [str(problem) for problem in roster.problems]


NUNEZ = Person(login="ana", name="Ana Núñez", email="ana@example.org", line=2)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_dialect_gives_the_same_people(encoding: str, delimiter: str, end: str) -> None:
    rows = [["Nombre", "Apellido(s)", "Dirección de correo"], ["Ana", "Núñez", "ana@example.org"]]
    text = end.join(delimiter.join(row) for row in rows) + end
    assert people(text.encode(encoding)) == (NUNEZ,)


@pytest.mark.parametrize(
    "text",
    [
        "First name,Surname,Email address,Groups\nAna,Núñez,ana@example.org,A",
        "First name,Last name,ID number,Email address\nAna,Núñez,7,ana@example.org",
        "Nombre,Apellido(s),Dirección de correo,Grupos\nAna,Núñez,ana@example.org,A",
        "username,firstname,lastname,email\nana,Ana,Núñez,ana@example.org",
        "identifier,github_username,name,email\n7,ana,Ana Núñez,ana@example.org",
        "LOGIN,NAME,EMAIL\nana,Ana Núñez,ana@example.org",
        '"Correo Electrónico";"Nombre y apellidos"\n"ana@example.org";"Ana Núñez"',
        "Primer apellido,Segundo apellido,Nombre,Unidad,Correo Electrónico\n"
        "Núñez,,Ana,2A,ana@example.org",
        "email,name,,\nana@example.org,Ana Núñez,,",
        "email,name\nana@example.org, Ana Núñez ,,,",
    ],
)
def test_columns_are_known_by_their_names(text: str) -> None:
    assert [replace(it, id_number="", group="") for it in people(text)] == [NUNEZ]


def test_a_roster_of_names_or_logins_alone_will_do() -> None:
    assert people("name\nAna Núñez\n\nLuis\n") == (
        Person(login="ana-nunez", name="Ana Núñez", email="", line=2),
        Person(login="luis", name="Luis", email="", line=4),
    )
    assert people("sep=;\r\nusuario;x\r\nJuan.Pérez;\r\n") == (
        Person(login="juan-perez", name="juan-perez", email="", line=3),
    )


def test_a_cell_of_several_lines_does_not_upset_the_count() -> None:
    text = 'login,notes\nana,"a\nb\nc"\nroot,x\n'
    assert told(text) == ["s.csv:5: the login `root` is an account that every machine has already"]


@pytest.mark.parametrize(
    "name",
    ["Ana #{File.write('/tmp/p','x')}", "$(touch /tmp/p)", "=1+1", "Ana; rm", "Muñoz \u202e"],
)
def test_a_name_is_kept_as_it_was_written(name: str) -> None:
    out = io.StringIO()
    csv.writer(out).writerows([["login", "name"], ["ana", name]])
    assert people(out.getvalue()) == (Person(login="ana", name=name, email="", line=2),)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("", ["s.csv:1: the file is empty: it needs a line of column names and the students"]),
        (
            "group,tutor\na,b\n",
            [
                "s.csv:1: no column tells who the students are: login, email or name is needed,"
                " and there is `group`, `tutor`"
            ],
        ),
        (
            "email,name,Correo\na@x.org,Ana,b\n",
            ["s.csv:1: columns `email` and `Correo` say the same"],
        ),
        (
            "login,name\nana\nluis,Luis,more\neva,Eva\n",
            [
                "s.csv:2: this line has 1 cells, and the line of column names has 2",
                "s.csv:3: this line has 3 cells, and the line of column names has 2",
            ],
        ),
        (
            b"login\nan\0a\neva\nx\0\n",
            [f"s.csv:{n}: this line holds a NUL character" for n in (2, 4)],
        ),
        *(
            (head + b"\0" * 20, ["s.csv:1: this is a spreadsheet, not CSV: save it as CSV"])
            for head in (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
        ),
        (
            b"login\nok\n\x81\xff\n",
            ["s.csv:3: this is neither UTF-8 nor Windows-1252: save it as UTF-8"],
        ),
        (
            "login,email\na,x@x.org\nb,X@x.org\na,y@x.org\n",
            [
                "s.csv:3: `X@x.org` is also the email of line 2",
                "s.csv:4: `a` is also the login of line 2",
            ],
        ),
        (
            "login,email\n../../x,\na/b,\n.,\n0x0,\nvagrant,\neva,nowhere\n",
            [
                *(
                    f"s.csv:{line}: the login `{login}` is not a login: begin with a letter a-z,"
                    " then letters a-z, digits and hyphens"
                    for line, login in [(2, "../../x"), (3, "a/b"), (4, "."), (5, "0x0")]
                ),
                "s.csv:6: the login `vagrant` is an account that every machine has already",
                "s.csv:7: `nowhere` is not an email address",
            ],
        ),
        (
            'login,name\nana,"A\x1b[31m"\neva,"a\nb"\n',
            [
                "s.csv:2: the name cannot hold control characters or line breaks",
                "s.csv:3: the name cannot hold control characters or line breaks",
            ],
        ),
        (
            "email\n42@example.org\n",
            ["s.csv:2: no login can be made of this email and name: add a `login` column"],
        ),
        ('login\n"ana\n', ["s.csv:2: this cannot be read as CSV: unexpected end of data"]),
    ],
)
def test_a_broken_roster_is_told_row_by_row(raw: str | bytes, expected: list[str]) -> None:
    assert told(raw) == expected


def test_namesakes_have_logins_that_do_not_depend_on_the_order() -> None:
    rows = ["José", "Jose", "Muñoz", unicodedata.normalize("NFD", "Muñoz"), "Ana"]
    logins = {person.name: person.login for person in people("\n".join(["name", *rows]))}
    assert len(set(logins.values())) == 5
    assert all(login_problem(login) == "" for login in logins.values())
    assert logins["Ana"] == "ana"
    for _ in range(5):
        random.shuffle(rows)
        again = {person.name: person.login for person in people("\n".join(["name", *rows]))}
        assert again == logins


def test_the_same_person_twice_is_a_problem() -> None:
    assert told("name\nAna\nAna\n") == [
        "s.csv:3: `Ana` is on line 2 already: an email or an id number each, or a `login` column,"
        " would tell them apart"
    ]


def test_a_roster_that_cannot_be_read_exits_with_2(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        scan_roster(tmp_path / "students.csv", name="students.csv")
    assert caught.value == ConfigError(
        "students.csv cannot be read",
        details=f"{tmp_path / 'students.csv'}: No such file or directory",
    )
    assert caught.value.exit_code == USAGE


def test_surname_first_is_turned_round() -> None:
    rows = ['"Núñez Ibáñez, Ana"', "Ana Núñez", '"A, B, C"', '", Ana"']
    found = people("\n".join(["Alumno/a", *rows]))
    assert [person.name for person in found] == [
        "Ana Núñez Ibáñez",
        "Ana Núñez",
        "A, B, C",
        ", Ana",
    ]


def notes(text: str) -> list[str]:
    return [str(note) for note in parse_roster(text.encode(), name="s.csv").notes]


def test_columns_that_lab_does_not_know_are_told() -> None:
    assert notes("login,emial,mood,DNI\nana,a@x.org,fine,1\n") == [
        "s.csv:1: column `emial` is none that lab knows; did you mean `email`?",
        "s.csv:1: column `mood` is none that lab knows",
    ]
    # What is there already is not what was meant.
    assert notes("email,emial\na@x.org,b@x.org\n") == [
        "s.csv:1: column `emial` is none that lab knows"
    ]


def test_a_login_column_goes_before_the_user_names_of_other_programs() -> None:
    text = "username,github_username,login,name\n1,2,ana,Ana Núñez"
    roster = parse_roster(text.encode(), name="s.csv")
    assert [person.login for person in roster.people] == ["ana"]
    assert [(it.role, it.note) for it in roster.columns] == [
        (Role.UNUSED, "`login` is taken"),
        (Role.UNUSED, "`login` is taken"),
        (Role.LOGIN, ""),
        (Role.NAME, ""),
    ]


def test_titles_may_stand_above_the_columns() -> None:
    text = "IES Exemplo;;\n\nGrupo;DAW1;\nNome;Apelidos;Notas\nAna;Núñez;\n"
    assert people(text) == (Person(login="ana-nunez", name="Ana Núñez", email="", line=5),)
    assert notes(text)[0] == (
        "s.csv:4: the columns are named here; the 2 lines above are taken for titles"
    )


@pytest.mark.parametrize("title", ["Alumnado;;;", "Alumnado", "Alumnado;;;\nCurso;2026;;"])
def test_a_title_may_be_a_column_s_name(title: str) -> None:
    text = f"{title}\nApelidos;Nome;Grupo;Correo electrónico\nNúñez;Ana;1A;a.n@x.org\n"
    [ana] = people(text)
    assert (ana.name, ana.email, ana.group) == ("Ana Núñez", "a.n@x.org", "1A")
    assert "taken for" in notes(text)[0]


def test_a_list_of_one_column_has_no_title() -> None:
    assert [it.name for it in people('Alumnado\n"Núñez, Ana"\n"Gil, Eva"\n')] == [
        "Ana Núñez",
        "Eva Gil",
    ]


@pytest.mark.parametrize(
    ("footer", "said"),
    [
        ("Total: 1;;", "Total: 1"),
        ("Total: 1", "Total: 1"),
        ("Total;28;", "Total 28"),
        (";;Páxina 1 de 2", "Páxina 1 de 2"),
        ("28/03/2026;;", "28/03/2026"),
    ],
)
def test_what_is_printed_below_a_list_is_no_student(footer: str, said: str) -> None:
    text = f"Apelidos;Nome;Grupo\nNúñez;Ana;1A\n{footer}\n"
    assert [it.name for it in people(text)] == ["Ana Núñez"]
    assert notes(text) == [f"s.csv:3: `{said}` is no student: left out"]


def test_a_name_alone_is_a_student_and_told() -> None:
    text = "Apelidos;Nome;Grupo\nNúñez;Ana;1A\nFin;;\nGil;Eva;1A\n"
    assert len(people(text)) == 3
    assert notes(text) == ["s.csv:3: no more than one cell is filled here: is it a student?"]
    # Places by number are what a list may be of.
    assert len(people("name,group\nEquipo 1,\nEquipo 2,\n")) == 2
    assert len(people("login,name\npc1,\npc2,\n")) == 2


@pytest.mark.parametrize(
    ("column", "student", "staff"),
    [
        ("Roles", "Student", "Teacher"),
        ("Roles", "Student", "Non-editing teacher, Course observer"),
        ("Rol", "Estudiante", "Profesora"),
        ("Roles", "Alumno/a", "Xefatura"),
        ("role1", "student", "editingteacher"),
        ("Roles", "", "Profesor sin permiso de edición"),
    ],
)
def test_the_teachers_of_a_course_are_no_students(column: str, student: str, staff: str) -> None:
    text = f'name,email,{column}\nAna,a@x.org,{student}\nEva,e@x.org,"{staff}"\n'
    assert [it.name for it in people(text)] == ["Ana"]
    assert notes(text) == [f"s.csv:3: `{staff}` is no student's role: left out"]


def test_a_student_who_teaches_and_the_roles_of_a_team_stay() -> None:
    text = 'name,email,Roles\nAna,a@x.org,"Teacher, Student"\nEva,e@x.org,Student\n'
    assert len(people(text)) == 2
    assert len(people("name,email,rol\nAna,a@x.org,frontend\nEva,e@x.org,backend\n")) == 2


@pytest.mark.parametrize(
    "text",
    [
        # The first line is no title but a roster's first student, and `Nombre` is nobody's column.
        "Ana;Núñez;ana@x.org\nNombre;Apellidos;Correo\n",
        # One name alone may be anything.
        "IES Exemplo\nname\nAna\n",
        "x\n" * 12 + "login,email\nana,a@x.org\n",
    ],
)
def test_a_line_that_may_be_a_student_is_no_title(text: str) -> None:
    assert told(text)[0].startswith("s.csv:1: no column tells who the students are")


def test_namesakes_and_missing_emails_are_worth_a_look() -> None:
    text = "name,email\nAna,a@x.org\nana ,b@x.org\nLuis,\nEva,\n"
    assert notes(text) == [
        "s.csv:4: no email here, nor on 5: marks for Moodle need one",
        "s.csv:3: `ana` is on lines 2, 3",
    ]


def test_of_two_with_one_name_the_id_number_tells_who_is_who() -> None:
    rows = ["Ana Gil,1", "Ana Gil,2", "Luis,3"]
    logins = {it.id_number: it.login for it in people("\n".join(["name,id number", *rows]))}
    assert len(set(logins.values())) == 3
    assert all(login.startswith("ana-gil-") for login in (logins["1"], logins["2"]))
    rows.reverse()
    again = {it.id_number: it.login for it in people("\n".join(["name,id number", *rows]))}
    assert again == logins
    assert len(told("name,id number\nAna,1\nAna,1\n")) == 1


@pytest.mark.parametrize("login", ["ana@x.es", "12345678z", "X1234567L", "4nton", "root", "a b"])
def test_a_user_name_that_can_be_no_login_is_passed_over_and_told(login: str) -> None:
    text = f"username,name,email\n{login},Ana Núñez,a.n@x.org\neva,Eva,e@x.org\n"
    assert [it.login for it in people(text)] == ["a-n", "eva"]
    assert notes(text) == [
        "s.csv:2: no login can be made of the user name here: it is made of the email or the name"
    ]
    assert [it.login for it in people(f"github_username,name\n{login},Ana\n")] == ["ana"]


def test_what_stands_in_a_login_column_is_the_teacher_s_word() -> None:
    text = "login,name\n4nton,Anton\nx1234567l,Ana\n"
    assert len(told(text)) == 1
    assert people(text.replace("4nton", "anton"))[1].login == "x1234567l"


def test_a_user_name_that_is_an_email_will_do_as_one() -> None:
    [ana] = people("username\nana.n@x.org\n")
    assert (ana.login, ana.email) == ("ana-n", "ana.n@x.org")


def test_two_with_the_same_user_name_are_told_apart_by_the_rest() -> None:
    first, second = people("username,email\nana,a@x.org\nana,b@x.org\n")
    assert first.login != second.login
    assert first.login.startswith("ana-")
    assert told("username\nana\nana\n") == ["s.csv:3: `ana` is also the login of line 2"]


NAMES = st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp")), max_size=20)


@given(st.lists(NAMES, max_size=6), st.sampled_from(",;\t"))
def test_what_is_written_as_csv_is_read_as_it_was(names: list[str], delimiter: str) -> None:
    out = io.StringIO()
    rows = [[f"s{number}", name, f"s{number}@example.org"] for number, name in enumerate(names)]
    csv.writer(out, delimiter=delimiter).writerows([["login", "name", "email"], *rows])
    assert [(person.login, person.name, person.email) for person in people(out.getvalue())] == [
        (login, name.strip() or login, email) for login, name, email in rows
    ]


@given(
    st.binary(max_size=80)
    | st.text(alphabet='login,ema;\t"\n\r\0é@. ', max_size=80).map(str.encode)
)
def test_any_bytes_are_people_or_problems(raw: bytes) -> None:
    roster = parse_roster(raw, name="s.csv")
    assert len({person.login for person in roster.people}) == len(roster.people)
    assert all(login_problem(person.login) == "" for person in roster.people)


def test_utf_8_in_a_file_of_windows_1252_is_noted() -> None:
    mixed = (
        "name,group\nJosé Núñez,1º\n".encode("cp1252")
        + "Ana María,2º\n".encode()
        + "JOÃO SÃO,B\nLuis,C\n".encode("cp1252")
        + "Iñigo,D\n".encode()
    )
    roster = parse_roster(mixed, name="s.csv")
    assert [str(it) for it in roster.notes if "UTF-8" in it.text] == [
        "s.csv:3: `Ana MarÃ�a` looks like UTF-8 that was read as Windows-1252, as on 6:"
        " if it is, save the file anew, all of it as UTF-8"
    ]
    fine = parse_roster("name\nJosé Núñez\nJOÃO SÃO\n".encode("cp1252"), name="s.csv")
    assert not [it for it in fine.notes if "UTF-8" in it.text]
