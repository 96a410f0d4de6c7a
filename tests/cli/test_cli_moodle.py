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
