"""The strict reading of YAML: what stays what it looks like, what is refused, and where."""

from __future__ import annotations

import json
import sys
import time
import tracemalloc
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lab.classroom.problems import EXCERPT_COLUMNS, Place, excerpt
from lab.classroom.source import Source, Value, Written
from lab.classroom.yaml_source import MAX_BYTES, MAX_DEPTH, parse, read
from lab.errors import ConfigError


def parsed(text: str | bytes) -> Source:
    raw = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    return parse(raw, name="labs.yaml", secret_keys=frozenset({"proxy"}))


def told(text: str | bytes) -> list[str]:
    """The first line of every problem, without the file's name."""
    return [
        str(problem).split("\n")[0].removeprefix("labs.yaml:") for problem in parsed(text).problems
    ]


LOOKALIKES = (
    *("010", "no", "NO", "12:30", "1e3", "1_000", "0x1F", "0o17", "2024-01-01", "3.10", ".5"),
    *(".inf", "12", "-1", "1.2.3", "~", "True", "Null", "yes", "on", "y", "=", "<<", "é"),
)


@pytest.mark.parametrize("scalar", LOOKALIKES)
def test_a_plain_scalar_stays_what_it_looks_like(scalar: str) -> None:
    assert parsed(f"a: {scalar}").data == {"a": scalar}


@pytest.mark.parametrize(
    "scalar", ["010", "no", "12:30", "1e3", "0x1F", "2024-01-01", "3.10", "-1", "12", "0o17", "~"]
)
def test_an_ambiguous_scalar_is_known_as_such(scalar: str) -> None:
    source = parsed(f"[{scalar}, '{scalar}']")
    assert isinstance(source.data, list)
    assert [type(item) for item in source.data] == [Written, str]


def test_only_three_words_and_nothing_mean_something_else() -> None:
    assert parsed("{a: true, b: false, c: null, d: , e: 'true', f: ''}").data == {
        "a": True,
        "b": False,
        "c": None,
        "d": None,
        "e": "true",
        "f": "",
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: {c: [3]}\n", ["3:1: `a` is given twice, first on line 1"]),
        ("a: [*x]", ["1:5: `*x` repeats a value: write it out here"]),
        ("a: &x 1", ["1:4: `&x` names a value for repetition: remove it"]),
        ("&k a: 1", ["1:1: `&k` names a value for repetition: remove it"]),
        (
            "a: !!python/object/apply:os.system ['id']",
            ["1:4: `!` types are not allowed: write the plain value, text in quotes"],
        ),
        ("a: 1\n---\nb: 1", ["2:1: a second document begins here: keep one in a file"]),
        ("? [a]\n: 1", ["1:3: a key must be a word before `:`"]),
        ("?\n: 1", ["1:2: a key must be a word before `:`"]),
        ("a: *", ["1:5: `*` and `&` begin a repetition: put the text in quotes"]),
        ('"a\\nb": 1', ["1:1: a key cannot hold control characters"]),
        ('a: "\\ud800"', ["1:4: this holds half a character (a lone surrogate)"]),
        ("a: b\0", ["1:5: the control character U+0000 is not allowed"]),
        (b"a: \xff", ["1:4: this is not UTF-8: save the file as UTF-8"]),
        ("a:\n\tb: 1", ["2:1: a tab cannot stand here: use spaces"]),
        ("a: 'b\n\n", ["1:4: a quote is opened and never closed"]),
        ("a: b: c", ["1:5: `:` is not expected here: put text that holds `: ` in quotes"]),
        ("a: [b", ["1:6: a `[` or `{` is never closed, or a `,` is missing"]),
        ("a: @b", ["1:4: text cannot begin with this character: put it in quotes"]),
        ('a: "\\UFFFFFFFF"', ["1:1: what follows cannot be read as YAML"]),
        ('a: "\\q"', ["1:6: inside double quotes `\\` begins an escape: use single quotes"]),
    ],
)
def test_what_is_refused_is_told_with_its_place(text: str | bytes, expected: list[str]) -> None:
    assert told(text) == expected


@pytest.mark.parametrize("breaks", ["\n", "\r\n", "\r"])
def test_lines_are_counted_whatever_ends_them(breaks: str) -> None:
    assert told(breaks.join(["\N{BYTE ORDER MARK}a: 1", "b: 2", "b: 3"])) == [
        "3:1: `b` is given twice, first on line 2"
    ]


def test_values_and_keys_have_places() -> None:
    source = parsed("labs:\n  hello: {a: [x, yy]}\n")
    assert source.place(("labs", "hello", "a", 1)) == Place(line=2, column=18, width=2)
    assert source.place(("labs", "hello"), at_key=True) == Place(line=2, column=3, width=5)
    assert source.place(("labs", "hello", "b")) == Place(line=2, column=3, width=5)
    assert source.place(()) == Place(line=1, column=1)


def test_depth_ends_at_its_limit() -> None:
    fits = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    assert parsed(fits).problems == []
    assert told(f"[[{fits}]]") == ["1:22: this is nested more than 20 levels deep"]


def test_a_file_over_a_megabyte_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "labs.yaml"
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(ConfigError) as caught:
        read(path)
    assert caught.value == ConfigError(
        "labs.yaml is too large", details=f"{path}: more than 1 MB", hint=caught.value.hint
    )


def test_a_folder_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, name="labs.yaml")
    assert caught.value.message == "labs.yaml cannot be read"


BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30)
)


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        "[" * 500_000,
        "{a: " * 200_000,
        "- " * 400_000,
        "&a " * 300_000,
        "a: *" + "b" * 900_000,
    ],
)
def test_a_bomb_is_refused_in_a_second(text: str) -> None:
    began = time.process_time()
    assert parsed(text).problems
    # Measuring coverage traces every line, at several times the cost.
    limit_s = 1 if sys.gettrace() is None else 10
    assert time.process_time() - began < limit_s


def test_a_bomb_takes_little_memory() -> None:
    tracemalloc.start()
    assert parsed(BOMB).problems
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000_000


# Whatever UTF-8 can hold; `parse` itself takes bytes.
TEXT = st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc")), max_size=20)
KEYS = st.text(alphabet="abcñ日 -_.:#", min_size=1, max_size=8)
TREES = st.recursive(
    TEXT | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)


@given(TREES)
def test_what_is_valid_comes_back_as_it_was(tree: Value) -> None:
    source = parsed(yaml.safe_dump(tree, allow_unicode=True, width=10_000))
    assert (source.data, source.problems) == (tree, [])


@given(TREES)
def test_json_is_read_as_json(tree: Value) -> None:
    assert parsed(json.dumps(tree, ensure_ascii=False)).data == tree


PIECES = (
    *(
        "a",
        "1",
        ": ",
        "- ",
        "\n",
        "  ",
        "[",
        "]",
        "{",
        "}",
        ",",
        "'",
        '"',
        "&a ",
        "*a",
        "!!x ",
        "|",
    ),
    *(">", "? ", "---", "...", "%YAML 1.2", "%TAG", "\t", "#", "\\", "\\x", "\\uD800", "@", "\x00"),
    *("é", "\u2028", "key: ", "proxy: ", "http://u:p@h"),
)


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_pieces_of_yaml_are_read_or_refused(text: str) -> None:
    source = parsed(text)
    assert source.complete or source.problems


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    source = parsed(raw)
    assert source.complete or source.problems
    assert all(problem.line <= len(source.lines) for problem in source.problems)


@pytest.mark.parametrize(
    ("line", "place", "expected"),
    [
        ("abc def", Place(line=1, column=5, width=3), "    abc def\n        ^^^"),
        ("\tabc", Place(line=1, column=2, width=3), "        abc\n        ^^^"),
        ("日本 x", Place(line=1, column=4), "    日本 x\n         ^"),
        ("日本", Place(line=1, column=2), "    日本\n      ^^"),
        ("e\u0301 x", Place(line=1, column=4), "    e\u0301 x\n      ^"),
        ("ab", Place(line=1, column=3), "    ab\n      ^"),
        ("a\x1b\u202eb", Place(line=1, column=4), "    a\ufffd\ufffdb\n       ^"),
        ("  ", Place(line=1, column=1), ""),
    ],
)
def test_the_caret_stands_under_the_word(line: str, place: Place, expected: str) -> None:
    assert excerpt(line, place) == expected


@given(st.integers(0, 400), st.integers(0, 400), st.sampled_from("x日\t"))
def test_a_long_line_is_trimmed_around_the_caret(before: int, after: int, filler: str) -> None:
    line = filler * before + "HERE" + filler * after
    shown, caret = excerpt(line, Place(line=1, column=before + 1, width=4)).split("\n")
    assert caret.count("^") == 4
    columns = [column for char in shown for column in [char] * (2 if char == "日" else 1)]
    assert "".join(columns[caret.index("^") :][:4]) == "HERE"
    assert len(columns) <= EXCERPT_COLUMNS + 6


def test_a_secret_is_masked_and_the_caret_still_stands_right() -> None:
    source = parsed("{proxy: 'http://u:hunter2@h', x: 1}")
    problem = source.problem(("x",), "wrong", at_key=True)
    assert problem.excerpt == "    {proxy: ***, x: 1}\n                 ^"
