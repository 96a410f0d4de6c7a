"""Make text from outside (names, guest output) inert: a terminal shows it and obeys none of it."""

from __future__ import annotations

_REPLACEMENT = 0xFFFD
_CONTROL_PICTURES = 0x2400
_TAB_WIDTH = 8
_DELETE = 0x7F

_BIDI_CONTROLS = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_LINE_SEPARATORS = (0x2028, 0x2029)
_C1 = range(0x80, 0xA0)
_LONE_SURROGATES = range(0xD800, 0xE000)

# One character for one character: a caret under a word stays under it.
_INERT: dict[int, int] = {
    **dict.fromkeys((*_C1, *_BIDI_CONTROLS, *_LINE_SEPARATORS, *_LONE_SURROGATES), _REPLACEMENT),
    **{code: _CONTROL_PICTURES + code for code in range(0x20)},
    _DELETE: 0x2421,
}
_INERT_LINE = {**_INERT, ord("\n"): ord(" "), ord("\r"): ord(" "), ord("\t"): ord(" ")}
_INERT_BLOCK = {code: shown for code, shown in _INERT.items() if code != ord("\n")}
_JSON_ESCAPES = {code: f"\\u{code:04x}" for code in _INERT if code >= _DELETE}


def inert_line(text: str) -> str:
    """Return `text` on one line: line ends and tabs as spaces, other controls as symbols."""
    return text.strip("\r\n").replace("\r\n", " ").translate(_INERT_LINE)


def inert_block(text: str) -> str:
    """Return `text` with its lines kept, tabs expanded, other controls as symbols."""
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(line.expandtabs(_TAB_WIDTH) for line in lines).translate(_INERT_BLOCK)


def in_json(document: str) -> str:
    r"""Return the JSON `document` with what a terminal would act upon written as `\uXXXX`.

    A reader of the document gets the very same strings: such characters stand only within strings,
    where JSON allows the escape. `json.dumps` has seen to the characters below U+0020.
    """
    return document.translate(_JSON_ESCAPES)
