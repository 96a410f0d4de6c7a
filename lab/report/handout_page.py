"""A student's handout as an HTML page of its own: it fetches nothing and runs nothing."""

from __future__ import annotations

import base64
import functools
from dataclasses import dataclass, field, replace
from pathlib import Path

import jinja2
from markupsafe import Markup, escape

from lab.classroom.handout import FORWARDED_PORT, Handout
from lab.classroom.wording import say
from lab.report.text import inert_line

_PAGES = Path(__file__).parent / "pages"


@dataclass(frozen=True, kw_only=True)
class _Key:
    text: str = field(repr=False)

    @property
    def base64(self) -> str:
        return base64.b64encode(self.text.encode()).decode()


def handout_page(handout: Handout, *, key: str = "") -> str:
    """Return a student's page.

    Args:
        handout: what is on it.
        key: their private key, for the page to give them; "" for a page on paper, which says that
            it comes apart. Printed from a browser, the page leaves it out.
    """
    handout = replace(
        handout,
        name=inert_line(handout.name),
        title=inert_line(handout.title),
        contact=inert_line(handout.contact),
        first=tuple(inert_line(line) for line in handout.first),
    )

    def plain(word: str, **values: object) -> str:
        return say(f"handouts.{word}", handout.language, **values)

    return _template().render(
        it=handout,
        key=_Key(text=key) if key else None,
        port=FORWARDED_PORT,
        style=Markup((_PAGES / "handout.css").read_text(encoding="utf-8").strip()),  # noqa: S704 (lab's own)
        say=lambda word, **values: _with_code(plain(word, **values)),
        say_plain=plain,
    )


def _with_code(text: str) -> Markup:
    """The text escaped, what stands between backticks as code; a lone backtick is only itself."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if index % 2 else escape(part)
        for index, part in enumerate(parts)
    )


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_PAGES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["with_code"] = _with_code
    return environment.get_template("handout.html.j2")
