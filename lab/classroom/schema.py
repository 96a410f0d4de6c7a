"""The JSON Schema of labs.yaml, for editors: generated from the models and shipped beside it.

To write it anew: python -m lab.classroom.schema > labs.schema.json
"""

from __future__ import annotations

import json
import sys
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from lab.classroom.entries import LabsFile

SCHEMA_FILE = "labs.schema.json"


def labs_schema() -> dict[str, Any]:
    """The schema, as JSON values."""
    generated = LabsFile.model_json_schema()
    return {
        "$schema": GenerateJsonSchema.schema_dialect,
        "title": "labs.yaml of lab",
        **_tidied(generated),
    }


def schema_text() -> str:
    """The schema as labs.schema.json holds it."""
    return json.dumps(labs_schema(), indent=2, ensure_ascii=False) + "\n"


def _tidied(node: object) -> Any:  # noqa: ANN401 (what comes back has the shape of `node`)
    """`node` without what only repeats the field's name or says that it may be left out."""
    if isinstance(node, list):
        return [_tidied(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: _tidied(value) for key, value in node.items() if not _is_noise(key, value)}
    if "patternProperties" in kept:
        # pydantic leaves the door open to keys of any other shape.
        kept["additionalProperties"] = False
    return kept


def _is_noise(key: str, value: object) -> bool:
    return (key == "title" and isinstance(value, str)) or (key == "default" and value is None)


if __name__ == "__main__":
    sys.stdout.write(schema_text())
