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
        ("base.box", "own/base"),
        ("./boxes/my base.box", "own/my-base"),
        ("/srv/boxes/base-1.2.box", "own/base-1.2"),
        ("https://example.org/boxes/base.box", "own/base"),
        ("https://example.org/base/", "own/base"),
        ("file:///srv/Ñandú.box", "own/-and-"),
        ("https://example.org/base.box?a=1&b=$(id)", "own/base.box-a-1-b---id-"),
        (".box", "own/box"),
    ],
)
def test_the_name_of_a_box(box: str, name: str) -> None:
    assert box_name(box) == name


@given(st.text())
def test_a_file_s_name_is_plain(text: str) -> None:
    assert is_own_file(f"{text}.box")
    assert re.fullmatch(r"own/[-A-Za-z0-9._]+", box_name(f"{text}.box"))
