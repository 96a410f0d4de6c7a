"""What Vagrant calls the boxes of labs.yaml."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.machines.boxes.names import box_name, is_own_file


@pytest.mark.parametrize(
    ("box", "name"),
    [
        ("debian-12", "lab/debian-12"),
        ("ubuntu-18.04", "lab/ubuntu-18.04"),
        ("generic/debian12", "generic/debian12"),
        ("base.box", "own/base-HASH"),
        ("./boxes/my base.box", "own/my-base-HASH"),
        ("/srv/boxes/base-1.2.box", "own/base-1.2-HASH"),
        ("https://example.org/boxes/base.box", "own/base-HASH"),
        ("https://example.org/base/", "own/base-HASH"),
        ("file:///srv/Ñandú.box", "own/-and--HASH"),
        ("https://example.org/base.box?a=1&b=$(id)", "own/base.box-a-1-b---id--HASH"),
        (".box", "own/box-HASH"),
    ],
)
def test_the_name_of_a_box(box: str, name: str) -> None:
    assert re.sub("-[0-9a-f]{8}$", "-HASH", box_name(box)) == name


def test_files_of_one_name_in_two_places_are_two_boxes() -> None:
    assert box_name("a/base.box") == box_name("a/base.box")
    assert len({box_name(f"{folder}/base.box") for folder in ("a", "b", "https://b.org")}) == 3


@given(st.text())
def test_a_file_s_name_is_plain(text: str) -> None:
    assert is_own_file(f"{text}.box")
    assert re.fullmatch(r"own/[-A-Za-z0-9._]+", box_name(f"{text}.box"))
