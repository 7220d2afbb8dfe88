# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read and edit prefs.js without touching a byte of what is not ours.

Thunderbird rewrites the file at every exit: a comment, then one `user_pref("name", value);` to a line, in bytes that
need not be UTF-8, with only backslash, quote, line feed and carriage return escaped (measured with 153; a string may
hold any other control character or U+2028, so lines end at a line feed and nowhere else). Whatever Thunderbird would
not write itself is refused instead of being guessed at.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Union

from .errors import ThunderbirdError

# Strings are decoded with surrogateescape, so that every byte survives.
Value = Union[str, int, bool]

_BETWEEN = re.compile(rb"(?:[ \t\n]+|//[^\n]*|#[^\n]*|/\*.*?\*/)*", re.DOTALL)
_STATEMENT = re.compile(
    rb'user_pref[ \t]*\([ \t]*"((?:[^"\\\n]|\\[^\n])*)"[ \t]*,[ \t]*'
    rb'(?:"((?:[^"\\\n]|\\[^\n])*)"|(true|false)|([+-]?[0-9]{1,10}))[ \t]*\)[ \t]*;'
)
_ESCAPE = re.compile(rb"\\(.)")
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"\\": b"\\", b'"': b'"'}


class _Statement(NamedTuple):
    name: str
    value: Value
    start: int
    end: int


class Preferences:
    """The preferences of one prefs.js; `content` is the file as bytes, changed only where a preference changes.

    Raises ThunderbirdError where the content is not what Thunderbird writes.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self._statements = _parse(content)

    def get(self, name: str) -> Value | None:
        """The value that Thunderbird would use (the last one), or None."""
        return next((item.value for item in reversed(self._statements) if item.name == name), None)

    def text(self, name: str) -> str:
        """The value as text; empty where there is none or where it is not text."""
        value = self.get(name)
        return value if isinstance(value, str) else ""

    def names(self, prefix: str) -> list[str]:
        """Names that begin with `prefix`, each once, in the order of the file."""
        return list(dict.fromkeys(item.name for item in self._statements if item.name.startswith(prefix)))

    def set(self, name: str, value: Value) -> None:
        """Change the preference in its place, or append it; the same value changes no byte."""
        line = b'user_pref("%s", %s);' % (_escape(name), _literal(value))
        for item in reversed(self._statements):
            if item.name == name:
                if type(item.value) is not type(value) or item.value != value:
                    self._replace(item.start, item.end, line)
                return
        if self.content and not self.content.endswith(b"\n"):
            self._replace(len(self.content), len(self.content), b"\n" + line)
        else:
            self._replace(len(self.content), len(self.content), line + b"\n")

    def remove(self, name: str) -> None:
        """Take the preference out with its line; nothing happens where there is none."""
        for item in reversed(self._statements):
            if item.name == name:
                start, end = item.start, item.end
                if self.content[end : end + 1] == b"\n" and self.content[start - 1 : start] in {b"", b"\n"}:
                    end += 1
                elif end == len(self.content) and self.content[start - 1 : start] == b"\n":
                    start -= 1
                self._replace(start, end, b"")
                self.remove(name)
                return

    def _replace(self, start: int, end: int, new: bytes) -> None:
        self.content = self.content[:start] + new + self.content[end:]
        self._statements = _parse(self.content)


def _parse(content: bytes) -> list[_Statement]:
    if content.startswith(b"\xef\xbb\xbf"):
        raise _broken("begins with a byte order mark")
    if b"\r" in content:
        raise _broken("has Windows line ends")
    statements: list[_Statement] = []
    position = 0
    while True:
        between = _BETWEEN.match(content, position)
        position = between.end() if between else position
        if position == len(content):
            return statements
        match = _STATEMENT.match(content, position)
        if match is None:
            raise _broken(f"has a line {content.count(10, 0, position) + 1} that Thunderbird would not write")
        name, text, truth, number = match.groups()
        value: Value
        if text is not None:
            value = _unescape(text)
        elif truth is not None:
            value = truth == b"true"
        else:
            value = int(number)
        statements.append(_Statement(_unescape(name), value, match.start(), match.end()))
        position = match.end()


def _broken(what: str) -> ThunderbirdError:
    return ThunderbirdError(
        f"prefs.js {what}; start Thunderbird once and close it, which writes the file anew, or restore it from a backup"
    )


def _unescape(raw: bytes) -> str:
    def one(match: re.Match[bytes]) -> bytes:
        if match.group(1) not in _ESCAPED:
            raise _broken("has an escape that Thunderbird does not know: " + match.group(0).decode("ascii", "replace"))
        return _ESCAPED[match.group(1)]

    return _ESCAPE.sub(one, raw).decode("utf-8", "surrogateescape")


def _escape(text: str) -> bytes:
    raw = text.encode("utf-8", "surrogateescape").replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return raw.replace(b"\n", b"\\n").replace(b"\r", b"\\r")


def _literal(value: Value) -> bytes:
    if isinstance(value, bool):
        return b"true" if value else b"false"
    return b"%d" % value if isinstance(value, int) else b'"%s"' % _escape(value)
