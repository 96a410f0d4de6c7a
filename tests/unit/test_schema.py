"""The shipped JSON Schema is current, and agrees with the models about sample and mistakes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
import yaml

from lab.classroom.config import load_classroom
from lab.classroom.schema import SCHEMA_FILE, labs_schema, schema_text
from lab.classroom.shipped import sample_labs_yaml, shipped


def errors(text: str) -> list[str]:
    validator = jsonschema.Draft202012Validator(labs_schema())
    return [error.message for error in validator.iter_errors(yaml.safe_load(text))]


def test_the_shipped_schema_is_current(golden: Callable[[Path, str], None]) -> None:
    golden(shipped(SCHEMA_FILE), schema_text())
    jsonschema.Draft202012Validator.check_schema(json.loads(schema_text()))


@pytest.mark.parametrize("box", ["ubuntu-18.04", "debian-12", "me/my box", "3.10", "file:///a.box"])
def test_the_sample_is_valid_for_the_schema_and_for_lab(tmp_path: Path, box: str) -> None:
    text = sample_labs_yaml(box=box)
    assert errors(text) == []
    path = tmp_path / "labs.yaml"
    path.write_text(text, encoding="utf-8")
    [lab] = load_classroom(path).labs
    assert (lab.box, lab.guide, lab.domain) == (box, "hellopython", "vps.claseando.es")
    assert [student.login for student in lab.students] == ["ana", "luis", "marta"]
    assert lab.students[0].name == "Ana Núñez Ibáñez"
    assert lab.guest.ca_certificates == "host"


@pytest.mark.parametrize(
    "lab",
    [
        "{gude: x}",
        "{machine: {cpus: 0}}",
        "{machine: {memory: 512}}",
        "{students: [Ana]}",
        "{students: [{name: Ana}]}",
        "{vars: {Python: '3'}}",
        "{vars: {python: 3.10}}",
        "{provider: vmware}",
    ],
)
def test_the_schema_refuses_what_lab_refuses(lab: str) -> None:
    assert errors(f"labs: {{hello: {lab}}}") != []
