"""YAML as a teacher means it: every value with its place, nothing guessed, nothing dangerous.

Works on the parser's events, so no tag is ever resolved and no alias is ever expanded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from lab.classroom.problems import MAX_SHOWN, Place, quoted
from lab.classroom.source import Location, Source, Value, Written
from lab.errors import ConfigError

MAX_BYTES = 1_000_000
MAX_DEPTH = 20
# A thousand students with name and email are below; a megabyte of more takes PyYAML seconds.
MAX_VALUES = 6_000

_LINE_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_UNSAFE_IN_VALUE = re.compile("[\ud800-\udfff]")
_UNSAFE_IN_KEY = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_NUMBER = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?0[xob][0-9a-fA-F_]+"
)
_RESOLVER = yaml.resolver.Resolver()

_SYNTAX = (
    ("found character '\\t'", "a tab cannot stand here: use spaces"),
    (
        "mapping values are not allowed",
        "`:` is not expected here: put text that holds `: ` in quotes",
    ),
    ("could not find expected ':'", "a `key: value` line is expected here, and there is no `:`"),
    ("found unexpected end of stream", "a quote is opened and never closed"),
    ("expected <block end>", "this line does not line up with the ones above it"),
    ("expected ',' or", "a `[` or `{` is never closed, or a `,` is missing"),
    ("expected <document start>", "`key: value` lines are expected here, and nothing else"),
    ("did not find expected alphabetic", "`*` and `&` begin a repetition: put the text in quotes"),
    ("expected alphabetic or numeric", "`*` and `&` begin a repetition: put the text in quotes"),
    ("cannot start any token", "text cannot begin with this character: put it in quotes"),
    (
        "found unknown escape character",
        "inside double quotes `\\` begins an escape: use single quotes",
    ),
)


class _Stop(Exception):
    """Reading on makes no sense; the problem is already noted."""


def read(path: Path, *, name: str = "", secret_keys: frozenset[str] = frozenset()) -> Source:
    """The file at `path`; see `parse`.

    Raises:
        ConfigError: it cannot be read, is over a megabyte or is not UTF-8.
    """
    name = name or path.name
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(
            f"{name} cannot be read", details=f"{path}: {error.strerror or error}"
        ) from error
    if len(raw) > MAX_BYTES:
        raise ConfigError(
            f"{name} is too large", details=f"{path}: more than {MAX_BYTES // 1_000_000} MB"
        )
    return parse(raw, name=name, secret_keys=secret_keys)


def parse(raw: bytes, *, name: str, secret_keys: frozenset[str] = frozenset()) -> Source:
    """What `raw` says, with the place of everything in it, and every problem that it has as YAML.

    Only plain `true`, `false`, `null` and nothing at all mean anything but text; see `Written`.

    Args:
        raw: the bytes of the file.
        name: how problems call the file.
        secret_keys: keys whose values no message may show.
    """
    text = raw.decode("utf-8", "replace").removeprefix("\N{BYTE ORDER MARK}")
    source = Source(
        name=name,
        lines=tuple(_LINE_BREAK.split(text)),
        secret_line=_secret_line(secret_keys) if secret_keys else None,
    )
    broken = _first_bad_character(raw, text)
    if broken is not None:
        index, why = broken
        source.problems.append(source.problem_at(_place_of(text, index), why))
        return _incomplete(source)
    reader = _Reader(text, source, secret_keys)
    try:
        data = reader.document()
    except _Stop:
        return _incomplete(source)
    return replace(source, data=data)


def _incomplete(source: Source) -> Source:
    return replace(source, complete=False)


def _secret_line(keys: frozenset[str]) -> re.Pattern[str]:
    names = "|".join(re.escape(key) for key in sorted(keys))
    return re.compile(rf"\b(?:{names})[\"']?\s*:\s*(?!host\b|null\b|#)(\S.*)")


def _first_bad_character(raw: bytes, text: str) -> tuple[int, str] | None:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8").removeprefix("\N{BYTE ORDER MARK}")
        return len(before), "this is not UTF-8: save the file as UTF-8"
    bad = _UNPRINTABLE.search(text)
    if bad is None:
        return None
    return bad.start(), f"the control character U+{ord(bad.group()):04X} is not allowed"


def _place_of(text: str, index: int) -> Place:
    breaks = list(_LINE_BREAK.finditer(text, 0, index))
    start = breaks[-1].end() if breaks else 0
    return Place(line=len(breaks) + 1, column=index - start + 1)


class _Reader:
    """Builds values out of events, and notes the place of each and what is wrong with it."""

    def __init__(self, text: str, source: Source, secret_keys: frozenset[str]) -> None:
        self._source = source
        self._secret_keys = secret_keys
        self._events: Iterator[Event] = yaml.parse(text, Loader=yaml.SafeLoader)
        self._last = Place(line=1, column=1)
        self._count = 0

    def document(self) -> Value:
        data: Value = None
        seen = False
        for event in iter(self._next, None):
            if isinstance(event, DocumentStartEvent):
                if seen:
                    self._note(self._last, "a second document begins here: keep one in a file")
                    raise _Stop
                seen = True
                data = self._value(self._next(), ())
        return data

    def _next(self) -> Event | None:
        try:
            event = next(self._events, None)
        except yaml.MarkedYAMLError as error:
            mark = _mark(error)
            place = (
                self._last if mark is None else Place(line=mark.line + 1, column=mark.column + 1)
            )
            self._note(place, _syntax_sentence(error))
            raise _Stop from None
        except (yaml.YAMLError, ValueError, OverflowError):
            # An escape beyond Unicode ("\UFFFFFFFF") leaves PyYAML as a bare ValueError.
            self._note(self._last, "what follows cannot be read as YAML")
            raise _Stop from None
        if event is not None and not isinstance(event, DocumentEndEvent):
            self._last = _place(event)
        return event

    def _value(self, event: Event | None, location: Location) -> Value:
        assert event is not None, "the parser always ends what it began"
        place = _place(event)
        self._source.values[location] = place
        self._count += 1
        if self._count > MAX_VALUES:
            self._note(place, f"there are more than {MAX_VALUES} values in this file")
            raise _Stop
        if len(location) > MAX_DEPTH:
            self._note(place, f"this is nested more than {MAX_DEPTH} levels deep")
            raise _Stop
        self._refuse_references(event, place, location)
        if isinstance(event, ScalarEvent):
            return self._scalar(event, place, location)
        if isinstance(event, SequenceStartEvent):
            return self._sequence(location)
        if isinstance(event, MappingStartEvent):
            return self._mapping(location)
        return None

    def _refuse_references(self, event: Event, place: Place, location: Location) -> None:
        if isinstance(event, AliasEvent):
            self._note(place, f"{quoted(f'*{event.anchor}')} repeats a value: write it out here")
            self._source.refused.add(location)
            return
        anchor, tag = getattr(event, "anchor", None), getattr(event, "tag", None)
        if anchor is not None:
            self._note(place, f"{quoted(f'&{anchor}')} names a value for repetition: remove it")
        if tag is not None:
            self._note(place, "`!` types are not allowed: write the plain value, text in quotes")
            self._source.refused.add(location)

    def _scalar(self, event: ScalarEvent, place: Place, location: Location) -> Value:
        if _UNSAFE_IN_VALUE.search(event.value):
            self._note(place, "this holds half a character (a lone surrogate)")
            self._source.refused.add(location)
        if location and location[-1] in self._secret_keys:
            self._mask(event)
        if event.style is not None:
            return str(event.value)
        return _plain(event.value)

    def _sequence(self, location: Location) -> list[Value]:
        items: list[Value] = []
        for event in iter(self._next, None):
            if isinstance(event, SequenceEndEvent):
                break
            items.append(self._value(event, (*location, len(items))))
        return items

    def _mapping(self, location: Location) -> dict[str, Value]:
        entries: dict[str, Value] = {}
        for event in iter(self._next, None):
            if isinstance(event, MappingEndEvent):
                break
            key = self._key(event, location)
            below = (*location, key)
            first = self._source.keys.get(below)
            place = _place(event)
            if first is not None:
                self._note(place, f"{quoted(key)} is given twice, first on line {first.line}")
                self._skip(self._next())
                continue
            self._source.keys[below] = place
            entries[key] = self._value(self._next(), below)
        return entries

    def _key(self, event: Event, location: Location) -> str:
        place = _place(event)
        if not isinstance(event, ScalarEvent) or (event.style is None and not event.value):
            self._note(place, "a key must be a word before `:`")
            raise _Stop
        self._refuse_references(event, place, (*location, event.value))
        if _UNSAFE_IN_KEY.search(event.value):
            self._note(place, "a key cannot hold control characters")
            raise _Stop
        return str(event.value)

    def _skip(self, event: Event | None) -> None:
        """Passes over a value that will not be used, and what is in it."""
        depth = 0
        while event is not None:
            if isinstance(event, (MappingStartEvent, SequenceStartEvent)):
                depth += 1
            elif isinstance(event, (MappingEndEvent, SequenceEndEvent)):
                depth -= 1
            if depth == 0:
                return
            event = self._next()

    def _mask(self, event: ScalarEvent) -> None:
        if event.value in {"", "host", "null"}:
            return
        span = _span(event)
        for line in range(span.line, min(span.end_line + 1, len(self._source.lines))):
            start = span.column if line == span.line else 0
            stop = span.end_column if line == span.end_line else len(self._source.lines[line])
            self._source.secrets.append((line + 1, range(start, stop)))

    def _note(self, place: Place, text: str) -> None:
        self._source.problems.append(self._source.problem_at(place, text))
        if len(self._source.problems) > MAX_SHOWN:
            raise _Stop


class _Span(NamedTuple):
    """Where an event begins and ends; lines and columns from 0, as PyYAML counts."""

    line: int
    column: int
    end_line: int
    end_column: int


def _span(event: Event) -> _Span:
    first, last = event.start_mark, event.end_mark
    assert first is not None, "a parser of text marks every event"
    assert last is not None, "a parser of text marks every event"
    return _Span(first.line, first.column, last.line, last.column)


def _place(event: Event) -> Place:
    span = _span(event)
    on_one_line = isinstance(event, (ScalarEvent, AliasEvent)) and span.line == span.end_line
    width = span.end_column - span.column if on_one_line else 1
    return Place(line=span.line + 1, column=span.column + 1, width=max(1, width))


def _plain(text: str) -> bool | str | None:
    if text in {"", "null"}:
        return None
    if text in {"true", "false"}:
        return text == "true"
    tag = _RESOLVER.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
    ambiguous = tag != "tag:yaml.org,2002:str" or _NUMBER.fullmatch(text)
    return Written(text) if ambiguous else str(text)


def _mark(error: yaml.MarkedYAMLError) -> yaml.error.Mark | None:
    # The end of the file says little about a quote that was never closed; where it opens says all.
    if error.problem == "found unexpected end of stream":
        return error.context_mark
    return error.problem_mark or error.context_mark


def _syntax_sentence(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or "this cannot be read"
    for words, sentence in _SYNTAX:
        if words in problem:
            return sentence
    return f"this is not YAML: {problem}"
