"""Guides: found beside labs.yaml or among the shipped ones, and refused in plain words."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.classroom.config import load_classroom
from lab.classroom.guide import Guide, Profile, Step, load_guide, variables
from lab.classroom.shipped import shipped
from lab.errors import USAGE, ConfigError, HostError
from lab.machines.steps import read_contents

GUIDE = """
name: web
title: {en: Web, es: La web}
profiles:
  ubuntu-18.04: {vars: {python: "3.7", colour: red}}
  debian-12:
steps:
  - name: nginx
    scope: class
    title: {en: nginx}
  - name: app
    scope: student
    title: {en: The app}
    files: [app, notes.txt]
"""


def write_guide(project: Path, text: str = GUIDE, *, name: str = "web") -> Path:
    folder = project / "provision" / name
    (folder / "steps").mkdir(parents=True)
    (folder / "app").mkdir()
    for file in ("guide.yaml", "steps/nginx.sh", "steps/app.sh", "notes.txt"):
        (folder / file).write_text(text if file == "guide.yaml" else "")
    return folder


def problems(project: Path) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_guide("web", project=project)
    assert caught.value.exit_code == USAGE
    return caught.value


def test_a_guide_is_read_whole(tmp_path: Path) -> None:
    folder = write_guide(tmp_path)
    assert load_guide("web", project=tmp_path) == Guide(
        name="web",
        folder=folder,
        title={"en": "Web", "es": "La web"},
        profiles={
            "ubuntu-18.04": Profile(vars={"python": "3.7", "colour": "red"}),
            "debian-12": Profile(vars={}),
        },
        steps=(
            Step(
                name="nginx",
                scope="class",
                title={"en": "nginx"},
                script=folder / "steps" / "nginx.sh",
                downloads=True,
            ),
            Step(
                name="app",
                scope="student",
                title={"en": "The app"},
                script=folder / "steps" / "app.sh",
                files=(folder / "app", folder / "notes.txt"),
            ),
        ),
    )


def test_a_step_says_whether_it_downloads(tmp_path: Path) -> None:
    text = GUIDE.replace("scope: class\n", "scope: class\n    downloads: false\n")
    write_guide(tmp_path, text.replace("scope: student\n", "scope: student\n    downloads: true\n"))
    steps = load_guide("web", project=tmp_path).steps
    assert [step.downloads for step in steps] == [False, True]


def test_whether_a_step_downloads_is_true_or_false(tmp_path: Path) -> None:
    write_guide(tmp_path, GUIDE.replace("scope: class\n", "scope: class\n    downloads: maybe\n"))
    assert "must be true or false" in problems(tmp_path).details


def test_what_a_student_does_first_is_lines_in_each_language(tmp_path: Path) -> None:
    write_guide(tmp_path, GUIDE + "handout: {en: [Look, 'Type `ls`'], es: [Mira]}\n")
    assert load_guide("web", project=tmp_path).handout == {
        "en": ("Look", "Type `ls`"),
        "es": ("Mira",),
    }


def test_the_words_of_a_handout_are_no_part_of_any_step(tmp_path: Path) -> None:
    folder = write_guide(tmp_path)
    before = read_contents(load_guide("web", project=tmp_path))
    (folder / "guide.yaml").write_text(GUIDE + "handout: {en: [Look]}\n")
    assert read_contents(load_guide("web", project=tmp_path)) == before


def test_variables_of_the_student_lie_over_the_labs_over_the_guides(tmp_path: Path) -> None:
    write_guide(tmp_path)
    (tmp_path / "labs.yaml").write_text(
        'labs: {web: {domain: a.org, vars: {colour: blue, b: "1"},'
        ' students: [ana, {login: eva, vars: {b: "2"}}]}}'
    )
    guide = load_guide("web", project=tmp_path)
    [lab] = load_classroom(tmp_path / "labs.yaml").labs
    assert [variables(guide, lab, student) for student in lab.students] == [
        {"python": "3.7", "colour": "blue", "b": "1"},
        {"python": "3.7", "colour": "blue", "b": "2"},
    ]
    assert guide.default_vars("some/box") == {}


def test_a_guide_of_the_project_goes_before_a_shipped_one(tmp_path: Path) -> None:
    assert (
        load_guide("hellopython", project=tmp_path).folder == shipped("provision") / "hellopython"
    )
    own = write_guide(tmp_path, GUIDE.replace("name: web", "name: hellopython"), name="hellopython")
    assert load_guide("hellopython", project=tmp_path).folder == own


@pytest.mark.parametrize("name", ["../provision/web", "wab", "", ".", "web/"])
def test_an_unknown_guide_is_told_with_the_known_ones(tmp_path: Path, name: str) -> None:
    write_guide(tmp_path)
    with pytest.raises(ConfigError) as caught:
        load_guide(name, project=tmp_path)
    assert caught.value.message.startswith(f"There is no guide called `{name}`")
    assert "hellopython, staticsite, web" in caught.value.details
    assert name != "wab" or caught.value.message.endswith("; did you mean `web`?")


def test_a_script_that_is_not_there_is_named(tmp_path: Path) -> None:
    folder = write_guide(tmp_path)
    (folder / "steps" / "app.sh").unlink()
    assert problems(tmp_path) == ConfigError(
        "provision/web/guide.yaml has 1 problem",
        details="provision/web/guide.yaml:11:11: its script `steps/app.sh` does not exist\n"
        "      - name: app\n"
        "              ^^^",
        hint=f"edit {folder / 'guide.yaml'}",
    )


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("files: [app, notes.txt]", "files: [ap]", "`ap` does not exist in the guide"),
        ("name: web", "name: wob", "the guide is called `wob` and its folder `web`"),
        ("scope: class", "scope: clas", "must be one of class, student; did you mean `class`?"),
        ("scope: class", "scop: class", "`scop` is not a setting of a step; did you mean `scope`?"),
        ("name: app", "name: nginx", "there are two steps called `nginx`"),
        ("name: app", "name: ../app", "`../app` is not a step's name"),
        ("[app, notes.txt]", "[../../x]", "`../../x` lies outside of the guide"),
        ('"3.7"', "3.7", 'put it in quotes, "3.7"'),
        ("python:", "login:", "`login` is a variable that lab sets itself"),
        ("python:", "force:", "`force` is a variable that lab sets itself"),
        ("python:", "report:", "`report` is a variable that lab sets itself"),
        ("en: nginx", "english: nginx", "`english` is not a language"),
        ("name: web", "name: web\nhandout: {en: Look}", "`en` must be a list"),
        ("name: web", "name: web\nhandout: [Look]", "`handout` must hold `key: value` lines"),
        ("name: web", 'name: web\nhandout: {en: ["a\\u001b"]}', "cannot hold control characters"),
    ],
)
def test_what_is_wrong_in_a_guide_is_told(
    tmp_path: Path, old: str, new: str, sentence: str
) -> None:
    write_guide(tmp_path, GUIDE.replace(old, new, 1))
    assert sentence in problems(tmp_path).details


def test_a_class_step_after_a_student_step_is_refused_with_its_place(tmp_path: Path) -> None:
    third = "  - {name: late, scope: class, title: {en: Late}}\n"
    folder = write_guide(tmp_path, GUIDE + third)
    (folder / "steps" / "late.sh").touch()
    assert problems(tmp_path) == ConfigError(
        "provision/web/guide.yaml has 1 problem",
        details="provision/web/guide.yaml:15:25: "
        "class steps come first: they are done once for everybody\n"
        "      - {name: late, scope: class, title: {en: Late}}\n"
        "                            ^^^^^",
        hint=f"edit {folder / 'guide.yaml'}",
    )


def test_a_broken_guide_is_told_as_one(tmp_path: Path) -> None:
    write_guide(tmp_path, "name: [")
    assert problems(tmp_path).message == "provision/web/guide.yaml has 1 problem"


def test_what_is_not_shipped_is_an_installation_without_it() -> None:
    with pytest.raises(HostError) as caught:
        shipped("no-such-file")
    assert caught.value.message == "This installation of lab lacks no-such-file"
