"""`lab verify --format html`: one page that needs nothing else, to be opened, printed or sent."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import jinja2
from markupsafe import Markup

from lab.classroom.results import LabResult, Outcome
from lab.classroom.wording import FALLBACK, say
from lab.report.verify_page import SIGNS, page

_PAGES = Path(__file__).parent / "pages"


def verify_html(results: Sequence[LabResult], *, made_at: datetime) -> str:
    """Return the results as one HTML page, which asks nothing of any network and of no other file.

    Its policy lets only the page's own style and script act, so that nothing which a name, a title
    or a guest's output may hold is ever run. `made_at` is shown as when the page was made.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_PAGES, encoding="utf-8"),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["moment"] = _moment
    style, script = _own("verify.css"), _own("verify.js")
    labs = page(results)
    language = labs[0].language if labs else FALLBACK
    return environment.get_template("verify.html.j2").render(
        labs=labs,
        language=language,
        title=say("reports.page_title", language),
        nothing=say("reports.nothing_verified", language),
        made=say("reports.page_made", language, at=_moment(made_at)),
        outcomes=tuple(Outcome),
        signs=SIGNS,
        # Jinja is told that these two are code: they are lab's own, and hold nothing from outside.
        style=Markup(style),  # noqa: S704
        script=Markup(script),  # noqa: S704
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


def _own(name: str) -> str:
    return (_PAGES / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """The source expression by which a Content Security Policy allows exactly this text."""
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _moment(at: datetime) -> str:
    """A date and time to the minute, with its zone where it has one, alike in every language."""
    return f"{at:%Y-%m-%d %H:%M} {at:%Z}".strip()
