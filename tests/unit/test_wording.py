"""The catalogue of what students and teachers read: whole in every language, all of it used."""

from __future__ import annotations

import ast
import re
import string
from pathlib import Path

import pytest
from jinja2 import Environment, nodes

import lab
from lab.classroom import wording
from lab.classroom.results import Outcome
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
PAGES = Path(lab.__file__).parent / "report" / "pages"
# Whose words a template says.
TEMPLATES = {PAGES / "verify.html.j2": "reports", PAGES / "handout.html.j2": "handouts"}


# What the program itself adds to a key: one or many, and a problem's advice.
ENDINGS = re.compile(r"(_one|_many|\.do)$")
SAYING = {"say", "say_in_all", "say_plain"}


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


def keys_of(node: ast.expr) -> list[str]:
    """The literal keys that an argument may be, those of a condition among them."""
    if isinstance(node, ast.IfExp):
        return [*keys_of(node.body), *keys_of(node.orelse)]
    return [str(node.value)] if isinstance(node, ast.Constant) else []


def said_in(path: Path) -> list[tuple[str, set[str]]]:
    """The literal keys that a module says, each with the values that it gives."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = (
            node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        )
        if name in {"say", "say_in_all"}:
            values = {keyword.arg or "**" for keyword in node.keywords} - {"language"}
            found += [(key, values) for key in keys_of(node.args[0])]
    return found


def keys_in_template(node: nodes.Node) -> list[str]:
    """The keys that an argument may be; of what is composed, one for each outcome."""
    if isinstance(node, nodes.Const):
        return [str(node.value)]
    if isinstance(node, nodes.CondExpr):
        assert node.expr2 is not None
        return [*keys_in_template(node.expr1), *keys_in_template(node.expr2)]
    assert isinstance(node, nodes.Concat), node
    beginning, end = node.nodes
    assert isinstance(beginning, nodes.Const), node
    assert isinstance(end, nodes.Getattr), node
    assert end.attr == "value", node
    return [f"{beginning.value}{outcome.value}" for outcome in Outcome]


def said_in_template(path: Path, module: str) -> list[tuple[str, set[str]]]:
    """The keys that a template says, each with the values that it gives."""
    found = []
    for call in Environment().parse(path.read_text("utf-8")).find_all(nodes.Call):
        name = call.node.attr if isinstance(call.node, nodes.Getattr) else ""
        if name in SAYING or (isinstance(call.node, nodes.Name) and call.node.name in SAYING):
            values = {keyword.key for keyword in call.kwargs}
            found += [(f"{module}.{key}", values) for key in keys_in_template(call.args[0])]
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


SAID = [
    *((path.name, *said) for path in SOURCES for said in said_in(path)),
    *((path.name, *said) for path, of in TEMPLATES.items() for said in said_in_template(path, of)),
]


def test_every_template_s_words_are_looked_at() -> None:
    assert set(TEMPLATES) == set(PAGES.glob("*.j2"))
    for path, module in TEMPLATES.items():
        text = path.read_text("utf-8")
        assert len(said_in_template(path, module)) >= len(re.findall(r"\bsay(?:_plain)?\(", text))


def test_every_key_that_is_said_is_in_the_catalogue_with_all_its_values() -> None:
    wrong = []
    for where, key, values in SAID:
        if key not in CATALOGUE:
            wrong.append(f"{where}: there is no {key}")
            continue
        wanted = {name for name, _ in gaps(CATALOGUE[key]["en"])}
        # A template may choose between two keys, of which one needs less.
        enough = wanted <= values if where.endswith(".j2") else wanted == values
        if "**" not in values and not enough:
            wrong.append(f"{where}: {key} is given {sorted(values)}")
    assert wrong == []


def test_every_key_that_a_module_holds_is_in_the_catalogue() -> None:
    """Handed over by a variable, or in a table of keys."""
    stems = {ENDINGS.sub("", key) for key in CATALOGUE}
    a_key = re.compile(rf"(?:{'|'.join(MODULES)})\.[a-z][a-z_]*[a-z]")
    held = {word for path in SOURCES for word in words_in(path) if a_key.fullmatch(word)}
    assert held - stems - CATALOGUE.keys() == set()


def test_every_text_of_the_catalogue_is_used() -> None:
    said = {key for _, key, _ in SAID}
    words = set().union(*(words_in(path) for path in SOURCES))
    # `say(f"checks.outcome_{it}")` may say all that begins so, `counted("reports.passed")` both
    # that end in its number, and `say(f"grades.{key}")` those whose end is a word of its own.
    beginnings = tuple(word for word in words if word.endswith("_") and word.strip("_"))

    def is_used(key: str) -> bool:
        stem = ENDINGS.sub("", key)
        module, _, rest = stem.partition(".")
        # What only a template says by its end alone is in what the templates say.
        by_end = f"{module}." in words and module not in TEMPLATES.values()
        ends = {rest, key.partition(".")[2]} if by_end else set()
        return key in said or bool({key, stem, *ends} & words) or key.startswith(beginnings)

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
