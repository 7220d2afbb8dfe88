# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the API's replies mean: their envelope, and the kinds of their errors. Pure, no I/O.

The server answers 200 for almost everything, and its texts change with release and language. So success is the
absence of errors, never a success text; errors are told apart by words that the vendor's own programs look for:
https://github.com/SpamExperts/cpanel-addon, https://github.com/SpamExperts/plesk-extension and others.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional


class ErrorKind(enum.Enum):
    """What went wrong, as far as programs need to know it."""

    CREDENTIALS = "credentials"
    API_NOT_ALLOWED = "api_not_allowed"
    ADDRESS_NOT_ALLOWED = "address_not_allowed"
    ADMIN_INACTIVE = "admin_inactive"
    NO_PERMISSION = "no_permission"
    UNSUPPORTED = "unsupported"  # unknown call, or parameters that the server does not understand
    ALREADY_EXISTS = "already_exists"
    NOT_FOUND = "not_found"
    NOT_YOURS = "not_yours"  # or not present at all: the server does not tell the two apart
    FOREIGN = "foreign"  # it exists, and is somebody else's
    HAS_OUTGOING_USERS = "has_outgoing_users"
    LIMIT_REACHED = "limit_reached"
    SERVER_FAULT = "server_fault"
    UNREACHABLE = "unreachable"  # the request did not arrive
    LOST_REPLY = "lost_reply"  # a write was sent and no reply came: it may or may not have happened
    BAD_REPLY = "bad_reply"
    OTHER = "other"


#: What to do about each kind, for the end of a sentence; what is missing here is known better where it happens.
REMEDIES = {
    ErrorKind.CREDENTIALS: "check api_username and api_password",
    ErrorKind.API_NOT_ALLOWED: 'allow this admin "Control Panel API usage" in the control panel',
    ErrorKind.ADDRESS_NOT_ALLOWED: "add this address to those that may use the API",
    ErrorKind.ADMIN_INACTIVE: "activate this admin in the control panel, or use another one",
    ErrorKind.NO_PERMISSION: "use an admin who may do this; the server may also not know this call",
    ErrorKind.UNSUPPORTED: "this server does not offer this call, or names its parameters otherwise (see api_methods)",
    ErrorKind.ALREADY_EXISTS: "it exists already, here or in another account",
    ErrorKind.NOT_FOUND: "check that it exists and that its name is right",
    ErrorKind.NOT_YOURS: "use the admin that it belongs to, or check that it exists",
    ErrorKind.FOREIGN: "use the admin that it belongs to, or ask the provider",
    ErrorKind.HAS_OUTGOING_USERS: "remove its outgoing users first",
    ErrorKind.LIMIT_REACHED: "ask the provider for more, or remove what is not needed",
    ErrorKind.SERVER_FAULT: "try again later, and ask the provider if it stays so",
    ErrorKind.LOST_REPLY: "it may or may not have been done, so look before it is sent again",
    ErrorKind.BAD_REPLY: "check that api_url is the address of the control panel",
    ErrorKind.OTHER: "correct what the server complains about, or ask the provider what it means",
}


@dataclass(frozen=True)
class Reply:
    """A call that succeeded. result: the JSON value, None where there is none. success: the server's lines."""

    result: object = None
    success: tuple[str, ...] = ()


class ReplyError(Exception):
    """A reply that is an error, or none at all. lines: the server's own, unredacted."""

    def __init__(self, kind: ErrorKind, lines: tuple[str, ...], cut_off: bool = False) -> None:
        """cut_off: the reply ends in the middle."""
        super().__init__(kind, lines)
        self.kind = kind
        self.lines = lines
        self.cut_off = cut_off


#: What a crash of the server's program leaves in its answer.
_CRASH = (": sqlstate", "fatalerror.php")
#: The first row of which all words are in a line (in lower case, without quoted names) gives the line's kind.
_KINDS: tuple[tuple[ErrorKind, tuple[str, ...]], ...] = (
    *((ErrorKind.SERVER_FAULT, (mark,)) for mark in _CRASH),
    (ErrorKind.SERVER_FAULT, ("database connection error",)),
    (ErrorKind.CREDENTIALS, ("credential", "invalid")),
    (ErrorKind.CREDENTIALS, ("credential", "incorrect")),
    (ErrorKind.API_NOT_ALLOWED, ("permission", "to access the api")),
    (ErrorKind.ADDRESS_NOT_ALLOWED, ("no access to this api",)),
    (ErrorKind.ADDRESS_NOT_ALLOWED, ("current ip address",)),
    (ErrorKind.HAS_OUTGOING_USERS, ("may not remove", "outgoing users")),
    (ErrorKind.HAS_OUTGOING_USERS, ("while that domain has outgoing users",)),
    (ErrorKind.LIMIT_REACHED, ("reached the allowed limit",)),
    # Said only of what is there (https://github.com/SpamExperts/aps2-addon); the next ones also of what is missing.
    (ErrorKind.FOREIGN, ("not allowed to manage",)),
    (ErrorKind.NOT_YOURS, ("does not belong to",)),
    (ErrorKind.NOT_YOURS, ("is not owner",)),
    (ErrorKind.NOT_YOURS, ("not the owner",)),
    (ErrorKind.UNSUPPORTED, ("incorrect usage of api",)),
    (ErrorKind.UNSUPPORTED, ("unknown", "action")),
    (ErrorKind.UNSUPPORTED, ("unknown", "method")),
    (ErrorKind.UNSUPPORTED, ("action", "does not exist")),
    (ErrorKind.UNSUPPORTED, ("method", "does not exist")),
    (ErrorKind.UNSUPPORTED, ("controller", "does not exist")),
    (ErrorKind.UNSUPPORTED, ("invalid controller",)),
    (ErrorKind.NO_PERMISSION, ("no permission",)),
    (ErrorKind.NO_PERMISSION, ("n't have permission",)),
    (ErrorKind.NOT_FOUND, ("no such",)),
    (ErrorKind.NOT_FOUND, ("unable to find",)),
    (ErrorKind.NOT_FOUND, ("not found",)),
    (ErrorKind.NOT_FOUND, ("not exist",)),
    (ErrorKind.NOT_FOUND, ("n't exist",)),
    (ErrorKind.NOT_FOUND, ("not registered",)),
    (ErrorKind.NOT_FOUND, ("no valid user specified",)),
    (ErrorKind.NOT_FOUND, ("already", "removed")),
    (ErrorKind.NOT_FOUND, ("already", "deleted")),
    (ErrorKind.OTHER, ("already", "locked")),
    (ErrorKind.ALREADY_EXISTS, ("already",)),
    (ErrorKind.ALREADY_EXISTS, ("exists",)),
    (ErrorKind.ALREADY_EXISTS, ("present in the filtering software",)),
)
_FLAGS = {"1": True, "true": True, "0": False, "false": False, "": False}
_INACTIVE = re.compile(r"has status\s+['\"]?inactive", re.IGNORECASE)
_QUOTED = re.compile(r"(?<!\w)'[^']*'(?!\w)|\"[^\"]*\"")
_PREFIX = re.compile(r"(SUCCESS|ERROR)\s*:\s*(.*)\Z", re.IGNORECASE)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_HTML = re.compile(r"<(?:!doctype|html|head|body|title|div|p|br|b|h1)\b", re.IGNORECASE)


def classify(lines: tuple[str, ...]) -> ErrorKind:
    """The kind of an error that has these lines; the first line that says something decides."""
    for line in lines:
        if _INACTIVE.search(line):
            return ErrorKind.ADMIN_INACTIVE
        words = _QUOTED.sub("''", line).lower()  # a name such as 'already.example' says nothing
        for kind, needed in _KINDS:
            if all(word in words for word in needed):
                return kind
    return ErrorKind.OTHER


def parse_reply(body: bytes, *, write: bool) -> Reply:
    """Read the body of a reply, whatever its content type says. Raises ReplyError.

    Shapes, by the vendor's and others' programs: a JSON envelope with `messages` (a list, an object or null) and
    `result`; bare JSON; lines that begin with SUCCESS: or ERROR:; nothing at all after some writes.
    """
    try:
        text, readable = body.decode("utf-8-sig"), True
    except UnicodeDecodeError:
        text, readable = body.decode("utf-8", "replace"), False
    text = text.strip("\ufeff \t\r\n")
    if not text:
        if write:
            return Reply()
        raise ReplyError(ErrorKind.BAD_REPLY, ("an empty page",))
    reply = _parse_text(text, write=write)
    if not readable and reply.result is not None:
        raise ReplyError(ErrorKind.BAD_REPLY, ("text that is not UTF-8",))
    return reply


def _parse_text(text: str, *, write: bool) -> Reply:
    try:
        # A version such as 20160927.1030 is a number to JSON, and would lose digits.
        value = json.loads(text, parse_float=str, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return _parse_plain(text, write=write)
    if not isinstance(value, Mapping) or not {"messages", "result", "error", "errors"} & set(value):
        return _checked(Reply(value), write=write)
    return _parse_envelope(value, write=write)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _parse_envelope(value: Mapping[str, Any], *, write: bool) -> Reply:
    messages = value.get("messages")
    errors = _lines(value.get("error")) + _lines(value.get("errors"))
    success: list[str] = []
    if isinstance(messages, Mapping):
        for name, content in messages.items():
            if str(name).lower() in ("error", "errors"):
                errors += _lines(content)
            elif str(name).lower() == "success":
                success += _lines(content)
            elif str(name).isdigit():
                _sort_unlabelled(_lines(content), success, errors)
    else:
        _sort_unlabelled(_lines(messages), success, errors)
    crashes = [line for line in success if any(mark in line.lower() for mark in _CRASH)]
    if errors or crashes:
        lines = (*errors, *crashes)
        raise ReplyError(classify(lines), lines)
    return _checked(Reply(value.get("result"), tuple(success)), write=write)


def _lines(content: object) -> list[str]:
    """All texts in the content of `messages`, which is a list by custom, but may be anything."""
    if content is None or isinstance(content, bool):
        return []
    if isinstance(content, Mapping):
        content = list(content.values())
    if isinstance(content, list):
        return [line for entry in content for line in _lines(entry)]
    return [line.strip() for line in str(content).splitlines() if line.strip()]


def _sort_unlabelled(lines: list[str], success: list[str], errors: list[str]) -> None:
    """A message without a label is taken for an error, since nothing says that the call was done."""
    for line in lines:
        labelled = _PREFIX.match(line)
        if labelled and labelled.group(1).upper() == "SUCCESS":
            success.append(labelled.group(2))
        else:
            errors.append(labelled.group(2) if labelled else line)


def _checked(reply: Reply, *, write: bool) -> Reply:
    if write and reply.result is False and not reply.success:
        raise ReplyError(ErrorKind.OTHER, ("false",))
    return reply


def _parse_plain(text: str, *, write: bool) -> Reply:
    lowered = text.lower()
    if any(mark in lowered for mark in _CRASH):
        raise ReplyError(ErrorKind.SERVER_FAULT, (_first_line(text),))
    if _HTML.search(text):
        title = _TITLE.search(text)
        name = " ".join(title.group(1).split()) if title else ""
        raise ReplyError(ErrorKind.BAD_REPLY, (f"a web page{f' ({name})' if name else ''}",))
    success, errors, rest = [], [], []
    for line in filter(None, map(str.strip, text.splitlines())):
        labelled = _PREFIX.match(line)
        if not labelled:
            rest.append(line)
        elif labelled.group(1).upper() == "ERROR":
            errors.append(labelled.group(2))
        else:
            success.append(labelled.group(2))
    if errors:
        raise ReplyError(classify(tuple(errors)), tuple(errors))
    if success:
        return Reply(_data("\n".join(rest)), tuple(success))
    if text[0] in '{["':
        raise ReplyError(ErrorKind.BAD_REPLY, ("JSON that ends in the middle or is malformed",), cut_off=True)
    kind = classify(tuple(rest))
    if kind is not ErrorKind.OTHER:
        raise ReplyError(kind, tuple(rest))
    if write:  # nothing says that it was done
        raise ReplyError(ErrorKind.BAD_REPLY, (_first_line(text),))
    return Reply(text)


def _data(text: str) -> object:
    """The data that stands below the lines of a plain reply."""
    try:
        return json.loads(text, parse_float=str, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return text or None


def _first_line(text: str) -> str:
    return text.splitlines()[0]


def parse_page(body: bytes) -> str:
    """The text of a page for people. Raises ReplyError where the API's own error stands in its place."""
    text = body.decode("utf-8-sig", "replace").strip("\ufeff \t\r\n")
    if text.startswith("{") or _PREFIX.match(text.partition("\n")[0]):
        _parse_text(text, write=False)
    return text


def flag(value: object) -> Optional[bool]:
    """A switch in a reply, which may be a number, a text or a boolean; None for anything else."""
    return _FLAGS.get(str(value).strip().lower())
