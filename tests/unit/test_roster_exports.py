"""Every export that schools have, in its real headers: how it is understood, against a golden file a kind."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.classroom.roster import scan_roster
from lab.report.roster_json import roster_json

EXPORTS = sorted((Path(__file__).parent.parent / "rosters").glob("*.csv"))
GOLDEN = Path(__file__).parent.parent / "golden" / "rosters"


@pytest.mark.parametrize("path", EXPORTS, ids=lambda path: path.stem)
def test_an_export_is_understood(path: Path, golden: Callable[[Path, str], None]) -> None:
    text = roster_json(scan_roster(path, name=path.name)) + "\n"
    golden(GOLDEN / f"{path.stem}.json", text)
    told = json.loads(text)
    # The one of problems but shows them; in every other each column is known, and each line well.
    if path.stem != "problems":
        assert told["problems"] == []
        assert [it for it in told["columns"] if not it["known"]] == []
        assert any(row["name"] == "Ana Núñez Ibáñez" for row in told["rows"]) or path.stem in {
            "seneca_names",
            "excel_sep",
            "github_classroom",
        }


def test_a_password_is_nowhere_in_what_is_told() -> None:
    [path] = [path for path in EXPORTS if path.stem == "moodle_upload_users"]
    roster = scan_roster(path, name=path.name)
    assert "Abre-te" in path.read_text(encoding="utf-8")
    assert "Abre-te" not in repr(roster)
    assert "12345678Z" not in repr([scan_roster(path, name=path.name) for path in EXPORTS])


def test_the_same_class_has_the_same_logins_in_every_export() -> None:
    """Ana's login comes from the same email in all of Moodle's files, XADE's and Séneca's."""
    logins = {
        row.person.login
        for path in EXPORTS
        for row in scan_roster(path, name=path.name).rows
        if row.person.email.casefold() == "ana.nunez@example.org"
    }
    assert logins == {"ana-nunez"}
