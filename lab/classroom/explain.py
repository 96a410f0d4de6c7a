"""Turns what pydantic found into problems with a place, in sentences without its jargon."""

from __future__ import annotations

import types
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from lab.classroom.problems import Problem, did_you_mean, quoted
from lab.classroom.source import Location, Source, Value

Model = TypeVar("Model", bound=BaseModel)

_SENTENCES = {
    "dict_type": "must hold `key: value` lines",
    "model_type": "must hold `key: value` lines",
    "tuple_type": "must be a list, such as [ana, luis]",
    "list_type": "must be a list, such as [ana, luis]",
}


def validate(model: type[Model], data: Value, source: Source) -> tuple[Model | None, list[Problem]]:
    """`data` as a `model`, or None; and all that is wrong with it, placed in `source`."""
    try:
        return model.model_validate(data), []
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
    problems = [_problem(details, model, source) for details in found]
    return None, [problem for problem in problems if problem is not None]


def valid(model: type[Model], data: Value) -> Model | None:
    """`data` as a `model` when nothing is wrong with it."""
    try:
        return model.model_validate(data)
    except ValidationError:
        return None


def _problem(details: ErrorDetails, model: type[BaseModel], source: Source) -> Problem | None:
    location: Location = details["loc"]
    # pydantic marks an error of a key with one more part, which a file may have as a key, too.
    at_key = location[-1:] == ("[key]",) and location not in source.keys
    if at_key:
        location = location[:-1]
    if any(location[: len(refused)] == refused for refused in source.refused):
        return None
    if details["type"] == "extra_forbidden":
        return source.problem(location, _unknown(location, model), at_key=True)
    if details["type"] == "missing":
        noun = _noun(_model_at(model, location[:-1]))
        return source.problem(
            location, f"{noun} needs {quoted(str(location[-1]))}, which is missing", at_key=True
        )
    sentence = _SENTENCES.get(details["type"], details["msg"])
    if details["type"] in _SENTENCES or not sentence.startswith("`"):
        sentence = f"{_subject(location, source)} {sentence}"
    at_key = at_key or details["type"] in _SENTENCES
    return source.problem(location, sentence, at_key=at_key)


def _subject(location: Location, source: Source) -> str:
    for part in reversed(location):
        if isinstance(part, str):
            return quoted(part) if part == location[-1] else f"an item of {quoted(part)}"
    return source.name


def _unknown(location: Location, model: type[BaseModel]) -> str:
    owner = _model_at(model, location[:-1])
    options = list(owner.model_fields) if owner is not None else []
    word = str(location[-1])
    ending = did_you_mean(word, options) or f"; it has {', '.join(options)}"
    return f"{quoted(word)} is not a setting of {_noun(owner)}{ending}"


def _noun(model: type[BaseModel] | None) -> str:
    return str(getattr(model, "noun", "this"))


def _model_at(model: type[BaseModel], location: Location) -> type[BaseModel] | None:
    """The model that stands at `location` below `model`."""
    here: Any = model
    for part in location:
        here = _strip(here)
        if isinstance(here, type) and issubclass(here, BaseModel):
            here = here.model_fields[str(part)].annotation
        else:
            inner = [argument for argument in get_args(here) if argument is not Ellipsis]
            here = inner[-1] if inner else None
    here = _strip(here)
    return here if isinstance(here, type) and issubclass(here, BaseModel) else None


def _strip(annotation: Any) -> Any:  # noqa: ANN401 (the many kinds of annotation share no type)
    """`annotation` without `Annotated` and without `| None`."""
    while True:
        if hasattr(annotation, "__metadata__"):
            annotation = annotation.__origin__
        elif get_origin(annotation) in {Union, types.UnionType}:
            annotation = next(part for part in get_args(annotation) if part is not type(None))
        else:
            return annotation
