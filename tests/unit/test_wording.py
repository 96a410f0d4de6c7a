"""The catalogue of what students and teachers read: whole in every language, all of it used."""

from __future__ import annotations

import ast
import re
import string
from pathlib import Path

import pytest

import lab
from lab.classroom import wording
from lab.classroom.wording import CATALOGUE, LANGUAGES, in_language, say, say_in_all

MODULES = {
    name: module.TEXTS
    for name, module in vars(wording).items()
    if hasattr(module, "TEXTS") and not name.startswith("_")
}
# How a key is handed over: `say(KEY, ...)`, `say_in_all(KEY, ...)`, or in a table of keys.
SOURCES = [
    path for path in sorted(Path(lab.__file__).parent.rglob("*.py")) if "wording" not in path.parts
]
TEMPLATES = [
    path
    for path in Path(lab.__file__).parent.rglob("*")
    if path.suffix in {".j2", ".html", ".css", ".js"}
]


# What the program itself adds to a key: one or many, and a problem's advice.
ENDINGS = re.compile(r"(_one|_many|\.do)$")
SAID_IN_TEMPLATE = re.compile(r"""\bsay\(['"]([\w.]+)['"]\s*[,)]""")


def gaps(text: str) -> set[tuple[str, str]]:
    """The `{...}` of a text, each with how it is formatted."""
    return {
        (name, (spec or "") + (conversion or ""))
        for _, name, spec, conversion in string.Formatter().parse(text)
        if name is not None
    }


def words_in(path: Path) -> set[str]:
    """Every string that a module holds, docstrings and all; an f-string only up to its gap."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def quoted_in(template: Path) -> set[str]:
    """Every quoted word of a template."""
    return set(re.findall(r"""['"]([\w.]+)['"]""", template.read_text(encoding="utf-8")))


def said_in(path: Path) -> dict[str, set[str]]:
    """The literal keys that a module says, each with the values that it gives."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = (
            node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        )
        key = node.args[0]
        if name in {"say", "say_in_all"} and isinstance(key, ast.Constant):
            found.setdefault(str(key.value), set()).update(
                keyword.arg or "**" for keyword in node.keywords if keyword.arg != "language"
            )
    return found


def test_every_module_s_keys_begin_with_its_name_and_are_in_the_catalogue() -> None:
    assert {"checks", "reports", "grades", "handouts", "guides"} <= MODULES.keys()
    folder = Path(wording.__file__).parent
    assert MODULES.keys() == {path.stem for path in folder.glob("*.py")} - {"__init__"}
    for name, texts in MODULES.items():
        assert {key.partition(".")[0] for key in texts} <= {name}
    assert sum(len(texts) for texts in MODULES.values()) == len(CATALOGUE)


@pytest.mark.parametrize("key", CATALOGUE)
def test_no_text_lacks_a_language_or_has_other_gaps_than_its_twin(key: str) -> None:
    texts = CATALOGUE[key]
    assert list(texts) == list(LANGUAGES)
    for text in texts.values():
        assert text.strip() == text
        assert text
    english, *others = (gaps(text) for text in texts.values())
    assert others == [english] * len(others)
    assert all(name.isidentifier() for name, _ in english), "gaps have names"


def test_every_key_that_is_said_is_in_the_catalogue_with_all_its_values() -> None:
    wrong = []
    for path in SOURCES:
        for key, values in said_in(path).items():
            if key not in CATALOGUE:
                wrong.append(f"{path.name}: there is no {key}")
            elif "**" not in values and values != {name for name, _ in gaps(CATALOGUE[key]["en"])}:
                wrong.append(f"{path.name}: {key} is given {sorted(values)}")
    assert wrong == []


def test_every_key_that_a_template_says_is_in_the_catalogue() -> None:
    said = {key for path in TEMPLATES for key in SAID_IN_TEMPLATE.findall(path.read_text("utf-8"))}
    known = {ending for key in CATALOGUE for ending in (key, key.partition(".")[2])}
    assert said - known == set()


def test_every_text_of_the_catalogue_is_used() -> None:
    used = set().union(*(words_in(path) for path in SOURCES), *map(quoted_in, TEMPLATES))
    # `say(f"checks.outcome_{it}")` may say all that begins so, `counted("reports.passed")` both
    # that end in its number, and `say(f"reports.{key}")` those whose end is a word of its own.
    beginnings = tuple(word for word in used if word.endswith("_") and word.strip("_"))

    def is_used(key: str) -> bool:
        stem = ENDINGS.sub("", key)
        module, _, rest = stem.partition(".")
        ends = {rest, key.partition(".")[2]} if f"{module}." in used else set()
        return bool({key, stem, *ends} & used) or any(
            word.startswith(beginnings) for word in (key, *ends)
        )

    assert [key for key in CATALOGUE if not is_used(key)] == []


@pytest.mark.parametrize(
    ("language", "text"), [("es", "Arriba"), ("en", "Up"), ("fr", "Up"), ("", "Up")]
)
def test_a_text_in_a_language(language: str, text: str) -> None:
    assert in_language({"es": "Arriba", "en": "Up"}, language) == text


def test_a_text_in_whichever_language_there_is() -> None:
    assert in_language({"es": "Arriba"}, "fr") == "Arriba"
    assert in_language({"en": "Up", "es": ""}, "es") == "Up"
    assert in_language({}, "es") == ""


def test_the_gaps_of_a_text_are_filled_in_its_language() -> None:
    key = "checks.as_expected"
    assert say(key, "es", expected="A", found="B") == "se esperaba A; se encontró B"
    assert say(key, "fr", expected="A", found="B") == "expected A; found B"
    assert say_in_all(key, expected={"en": "one", "es": "uno"}, found={"en": "two"}) == {
        "en": "expected one; found two",
        "es": "se esperaba uno; se encontró two",
    }


def test_what_fills_a_gap_is_no_template() -> None:
    assert say("checks.blocked_by", "en", ids="{ids} {0} {") == "blocked by {ids} {0} {"
