"""`lab grades` for Moodle: its gradebook, and the worksheet of an assignment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.errors import NOT_ALL_WELL, NOTHING_EVALUATED, OK, USAGE

Lab = Callable[..., Any]
Keep = Callable[..., Path]
TWO_LABS = """
labs:
  hello:
    {guide: tiny, box: debian-12, domain: example.org, students: [ana, luis]}
  other:
    {guide: tiny, box: debian-12, domain: example.org, students: [ana], lang: es}
"""


WORKSHEET = (
    "\ufeffIdentifier,Full name,Email address,Status,Grade,Maximum Grade,Grade can be changed,"
    "Last modified (submission),Last modified (grade),Feedback comments\r\n"
    "Participant 7,Ana Núñez,ana@example.org,-,,100.00,Yes,-,-,\r\n"
    "Participant 8,Eva,eva@example.org,-,44.00,100.00,Yes,-,-,good\r\n"
)


def test_marks_for_moodles_gradebook(lab: Lab, keep: Keep, world: Any) -> None:
    keep(ana="pf", luis="uu")
    ran = lab("grades", "--format", "moodle", "--lang", "es", "--output", "gradebook.csv")
    assert (ran.code, ran.out) == (OK, "")
    assert "Left out, as nothing of theirs was evaluated: luis, marta" in ran.err
    assert (world.project / "gradebook.csv").read_text(encoding="utf-8") == (
        "Dirección de correo,hello,Retroalimentación: hello\n"
        "ana@example.org,5.00,1/2 comprobaciones. Fallidas: Comprobación 2\n"
    )


def test_incomplete_marks_are_left_out_and_told_unless_they_are_wanted(
    lab: Lab, keep: Keep, world: Any
) -> None:
    keep(ana="pfu", luis="pp")
    (world.project / "labs.yaml").write_text(
        (world.project / "labs.yaml").read_text().replace("luis", "{login: luis, email: l@x.es}")
    )
    (world.project / "download.csv").write_bytes(WORKSHEET.encode())
    told = "Left out, as a part could not be evaluated: ana (2 of 3 points evaluated)\n"
    ways = "`lab verify hello/ana` (and so on) while the machine runs evaluates them anew"
    moodle = ("grades", "--format", "moodle")
    sheet = ("grades", "--worksheet", "download.csv")

    ran = lab(*moodle)
    assert ran.code == OK
    assert "ana" not in ran.out
    assert "l@x.es,10.00" in ran.out
    assert told in ran.err
    assert ways in ran.err
    for words in (sheet, (*moodle, "ana"), (*sheet, "ana")):
        ran = lab(*words, "--output", "out.csv")
        assert ran.code == NOT_ALL_WELL, words
        assert told in ran.err
        assert not (world.project / "out.csv").exists()
    assert ways in ran.err
    assert "Nobody who was evaluated was evaluated in whole" in ran.err

    ran = lab(*moodle, "--incomplete")
    assert "ana@example.org,5.00" in ran.out
    assert told not in ran.err
    assert "50.00" in lab(*sheet, "--incomplete").out
    [ana, luis] = lab("grades", "ana", "luis", "--format", "json").json["grades"]
    assert (ana["complete"], luis["complete"]) == (False, True)


def test_nobody_to_import_is_4(lab: Lab) -> None:
    ran = lab("grades", "--format", "moodle")
    assert (ran.code, ran.out) == (NOTHING_EVALUATED, "")


def test_a_worksheet_is_filled_and_the_download_left(lab: Lab, keep: Keep, world: Any) -> None:
    keep(ana="pf", luis="pp", marta="uu")
    download = world.project / "download.csv"
    download.write_bytes(WORKSHEET.encode())
    ran = lab("grades", "--worksheet", "download.csv", "--output", "filled.csv")
    assert (ran.code, ran.out) == (OK, "")
    assert "Left out, as nothing of theirs was evaluated: marta" in ran.err
    assert "Evaluated, and not in download.csv: luis" in ran.err
    assert "Filled in 1 of 2 marks." in ran.err
    filled = (world.project / "filled.csv").read_bytes().decode()
    assert filled == WORKSHEET.replace(
        "-,,100.00,Yes,-,-,", '-,50.00,100.00,Yes,-,-,"1/2 checks. Failed: Check 2"', 1
    )
    assert download.read_bytes().decode() == WORKSHEET
    assert lab("grades", "--worksheet", "download.csv").out.encode() == filled.encode()
    lab("grades", "--worksheet", "download.csv", "--output", "download.csv")
    assert download.read_bytes().decode() == filled


def test_a_worksheet_of_others_is_1_and_writes_nothing(lab: Lab, keep: Keep, world: Any) -> None:
    keep(luis="pp")
    (world.project / "download.csv").write_bytes(WORKSHEET.encode())
    ran = lab("grades", "--worksheet", "download.csv", "--output", "filled.csv")
    assert ran.code == NOT_ALL_WELL
    assert "No mark could be filled in to download.csv" in ran.err
    assert not (world.project / "filled.csv").exists()


def test_a_worksheet_is_of_one_lab(lab: Lab, keep: Keep, world: Any) -> None:
    (world.project / "labs.yaml").write_text(TWO_LABS)
    keep(0, ana="pp", lab="hello")
    (world.project / "download.csv").write_bytes(WORKSHEET.encode())
    ran = lab("grades", "--worksheet", "download.csv")
    assert (ran.code, ran.out) == (USAGE, "")
    assert "lab grades hello --worksheet download.csv" in ran.said


def test_what_is_no_worksheet_is_2(lab: Lab, keep: Keep, world: Any) -> None:
    keep(ana="pp")
    (world.project / "download.csv").write_bytes(b"\x00\xff")
    ran = lab("grades", "--worksheet", "download.csv", "--output", "filled.csv")
    assert (ran.code, ran.out) == (USAGE, "")
    assert not (world.project / "filled.csv").exists()
