"""labs.yaml into a class: what is merged, and every refusal as a golden file."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from lab.classroom.config import (
    Classroom,
    GuestSettings,
    Lab,
    MachineSize,
    Student,
    load_classroom,
)
from lab.errors import USAGE, ConfigError

CASES = Path(__file__).parents[1] / "golden" / "config_errors"


def write(folder: Path, text: str, **files: str) -> Path:
    """A labs.yaml in `folder`, and `students="..."` as students.csv."""
    path = folder / "labs.yaml"
    path.write_text(text, encoding="utf-8")
    for name, content in files.items():
        (folder / f"{name}.csv").write_text(content, encoding="utf-8")
    return path


def student(lab: str, login: str, **changes: object) -> Student:
    values: dict[str, object] = {
        "login": login,
        "name": login,
        "email": "",
        "vhost": f"{lab}.{login}.example.org",
        "machine": MachineSize(cpus=1, memory_mb=512, disk_gb=8),
        "vars": {},
        "machine_name": f"{lab}-{login}",
    }
    return Student.model_validate(values | changes)


@pytest.mark.parametrize("case", sorted(path.name for path in CASES.iterdir()))
def test_every_problem_has_its_place_and_its_sentence(
    case: str, golden: Callable[[Path, str], None]
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_classroom(CASES / case / "labs.yaml")
    error = caught.value
    assert error.exit_code == USAGE
    assert "hunter2" not in f"{error} {error!r} {error.details} {error.hint} {error.__cause__!r}"
    golden(CASES / case / "expected.txt", f"{error.message}\n{error.details}\nhint: {error.hint}\n")


def test_a_lab_is_laid_over_the_defaults_and_a_student_over_the_lab(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
defaults:
  provider: lxc
  box: debian-12
  domain: example.org
  machine: {cpus: 2, memory: 1GB}
  vars: {python: "3.11", colour: red}
  guest: {ca_certificates: host, apt_mirror: host}
  lang: es
labs:
  hello:
    guide: hellopython
    machine: {memory: 1.5GB, disk: 10GB}
    vars: {colour: blue}
    guest: {apt_mirror: null, proxy: "http://u:p@proxy.example.org:3128"}
    students:
      - ana
      - login: luis
        name: Luis Núñez
        email: luis@example.org
        machine: {cpus: 4}
        vars: {colour: "1"}
""",
    )
    size = MachineSize(cpus=2, memory_mb=1536, disk_gb=10)
    variables = {"python": "3.11", "colour": "blue"}
    expected = Lab(
        name="hello",
        guide="hellopython",
        box="debian-12",
        provider="lxc",
        domain="example.org",
        machine=size,
        vars=variables,
        guest=GuestSettings(
            ca_certificates="host",
            apt_mirror=None,
            proxy=SecretStr("http://u:p@proxy.example.org:3128"),
        ),
        students=(
            student(
                "hello", "ana", machine=size, vars=variables, vhost="hellopython.ana.example.org"
            ),
            student(
                "hello",
                "luis",
                name="Luis Núñez",
                email="luis@example.org",
                machine=MachineSize(cpus=4, memory_mb=1536, disk_gb=10),
                vars={"python": "3.11", "colour": "1"},
                vhost="hellopython.luis.example.org",
            ),
        ),
        lang="es",
    )
    assert load_classroom(path) == Classroom(path=path, labs=(expected,))


def test_a_lab_alone_takes_what_lab_defaults_to(tmp_path: Path) -> None:
    path = write(tmp_path, "labs: {hello: {domain: example.org, students: [ana]}}")
    assert load_classroom(path).labs == (
        Lab(
            name="hello",
            guide="hello",
            box="ubuntu-18.04",
            provider="auto",
            domain="example.org",
            machine=MachineSize(cpus=1, memory_mb=512, disk_gb=8),
            vars={},
            guest=GuestSettings(),
            students=(student("hello", "ana"),),
        ),
    )


def test_a_roster_gives_the_students_and_labs_yaml_what_differs(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "labs:\n  hello:\n    domain: example.org\n    roster: students.csv\n"
        "    students: [{login: luis, machine: {memory: 2GB}}]\n",
        students="login;nombre completo;correo\nana;Ana;\nluis;Luis;luis@example.org\n",
    )
    assert load_classroom(path).labs[0].students == (
        student("hello", "ana", name="Ana"),
        student(
            "hello",
            "luis",
            name="Luis",
            email="luis@example.org",
            machine=MachineSize(memory_mb=2048),
        ),
    )


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{login}.{domain}", "ana.example.org"),
        ("{lab}-{login}.vps.example.com", "hello-ana.vps.example.com"),
        ("{guide}.{login}.{domain}", "python.ana.example.org"),
        ("same.example.org", "same.example.org"),
    ],
)
def test_a_vhost_template_names_the_virtual_host(
    tmp_path: Path, template: str, expected: str
) -> None:
    text = f"""
labs:
  hello: {{guide: python, domain: example.org, vhost: "{template}", students: [ana]}}
"""
    assert load_classroom(write(tmp_path, text)).labs[0].students[0].vhost == expected


def test_an_id_number_comes_from_the_roster_or_labs_yaml_in_quotes(tmp_path: Path) -> None:
    text = "labs: {web: {domain: example.org, roster: students.csv, students: [{login: luis, id_number: %s}]}}"
    roster = "login,ID number\nana,007\nluis,8\n"
    [lab] = load_classroom(write(tmp_path, text % '"0010"', students=roster)).labs
    assert [(it.login, it.id_number) for it in lab.students] == [("ana", "007"), ("luis", "0010")]
    with pytest.raises(ConfigError) as caught:
        load_classroom(write(tmp_path, text % "0010"))
    assert 'looks like a number, a date or yes/no: put it in quotes, "0010"' in caught.value.details


@pytest.mark.parametrize(
    "name",
    ["Ana #{File.write('/tmp/p','x')}", "$(touch /tmp/p)", "`id`", "a'b\\\\\"c", "Ñandú 日本"],
)
def test_a_name_is_kept_as_it_was_written(tmp_path: Path, name: str) -> None:
    quoted = name.replace("'", "''")
    text = f"labs: {{hello: {{domain: example.org, students: [{{login: ana, name: '{quoted}'}}]}}}}"
    assert load_classroom(write(tmp_path, text)).labs[0].students[0].name == name


@pytest.mark.parametrize("name", ["../../x", "a/b", ".", '"a\\nb"', "0x0", "12", "-a", "Ana"])
@pytest.mark.parametrize("what", ["lab", "login"])
def test_no_path_becomes_a_name(tmp_path: Path, name: str, what: str) -> None:
    lab, student = (name, "ana") if what == "lab" else ("hello", name)
    with pytest.raises(ConfigError):
        load_classroom(
            write(tmp_path, f"labs: {{{lab}: {{domain: a.org, students: [{student}]}}}}")
        )


@pytest.mark.parametrize("login", ["no", "y", "on", "e1", "null-1"])
def test_a_login_that_yaml_would_change_stays_what_it_was(tmp_path: Path, login: str) -> None:
    text = f"labs: {{hello: {{domain: example.org, students: [{login}]}}}}"
    assert load_classroom(write(tmp_path, text)).labs[0].students[0].login == login


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    text = (
        "labs: {hello: {domain: example.org, students: [ana], guest:"
        ' {proxy: "http://u:hunter2@a.org", pip_index: "https://u:hunter2@b.org/simple"}}}'
    )
    classroom = load_classroom(write(tmp_path, text))
    assert "hunter2" not in f"{classroom} {classroom!r} {classroom.model_dump_json()}"
    guest = classroom.labs[0].guest
    assert guest.proxy is not None
    assert guest.proxy.get_secret_value() == "http://u:hunter2@a.org"


@pytest.mark.parametrize(
    "proxy",
    ["http://u:hunter2 @a.org", "hunter2", "http://u:hunter2@a.org:99999999", "http://hunter2_x"],
)
@pytest.mark.parametrize("key", ["proxy", "pip_index"])
def test_a_wrong_secret_is_not_shown_either(tmp_path: Path, key: str, proxy: str) -> None:
    text = f'labs: {{hello: {{domain: example.org, students: [ana], guest: {{{key}: "{proxy}"}}}}}}'
    with pytest.raises(ConfigError) as caught:
        load_classroom(write(tmp_path, text))
    error = caught.value
    assert "hunter2" not in f"{error!r} {error.message} {error.details}"
    assert error.__cause__ is None
    assert error.__context__ is None


@pytest.mark.parametrize("broken", ['"http://u:hunter2 x@a.org', "{http: //u:hunter2 x@a.org"])
def test_a_secret_in_a_broken_file_is_not_shown(tmp_path: Path, broken: str) -> None:
    text = f"labs:\n  hello:\n    guest:\n      proxy: {broken}\n\tx: ["
    with pytest.raises(ConfigError) as caught:
        load_classroom(write(tmp_path, text))
    assert "hunter2" not in caught.value.details


def test_a_certificate_file_is_looked_for_beside_labs_yaml(tmp_path: Path) -> None:
    text = "labs: {hello: {domain: example.org, students: [ana], guest: {ca_certificates: ca.pem}}}"
    path = write(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_classroom(path)
    assert "there is no file `ca.pem`" in caught.value.details
    (tmp_path / "ca.pem").touch()
    assert load_classroom(path).labs[0].guest.ca_certificates == tmp_path / "ca.pem"


def test_a_missing_file_is_told_with_what_writes_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_classroom(tmp_path / "labs.yaml")
    assert caught.value == ConfigError(
        f"There is no labs.yaml in {tmp_path}", hint="to write one: lab init"
    )


def test_the_longest_names_fit_a_machine_name(tmp_path: Path) -> None:
    text = f"labs: {{{'l' * 20}: {{domain: example.org, students: [{'s' * 31}]}}}}"
    [machine] = load_classroom(write(tmp_path, text)).labs[0].students
    assert len(machine.machine_name) == 52


WORDS = st.sampled_from(
    (
        *("defaults", "labs", "hello", "students", "machine", "memory", "cpus", "guest", "proxy"),
        *("vars", "domain", "vhost", "roster", "login", "name", "x", "[key]", "host", "a.org", "2"),
    )
)
LEAVES = WORDS | st.text(max_size=6) | st.integers() | st.booleans() | st.none()
TREES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5)
)
LABS = st.dictionaries(st.sampled_from(["hello", "b", "B"]), st.dictionaries(WORDS, TREES))


@settings(max_examples=60)
@given(TREES | st.fixed_dictionaries({"labs": LABS}, optional={"defaults": TREES}))
def test_any_file_is_a_class_or_a_config_error(
    tmp_path_factory: pytest.TempPathFactory, tree: object
) -> None:
    path = write(tmp_path_factory.getbasetemp(), yaml.safe_dump(tree, allow_unicode=True))
    with contextlib.suppress(ConfigError):
        load_classroom(path)
