# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replies of the API, good and bad, as bytes: what they are taken for."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._api.reply import (
    REMEDIES,
    ErrorKind,
    Reply,
    ReplyError,
    classify,
    parse_page,
    parse_reply,
)
from hypothesis import given
from hypothesis import strategies as st

BOM = b"\xef\xbb\xbf"


def envelope(messages: Any, result: Any = None) -> bytes:
    return json.dumps({"messages": messages, "result": result}).encode()


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("Supplied credential is invalid.", ErrorKind.CREDENTIALS),
        ("The credentials that you gave are INCORRECT", ErrorKind.CREDENTIALS),
        ("You don't have permissions to access the API.", ErrorKind.API_NOT_ALLOWED),
        (
            "You have no access to this API, current IP address '192.0.2.1' is not allowed",
            ErrorKind.ADDRESS_NOT_ALLOWED,
        ),
        ("The user 'already.exists' has status 'inactive'", ErrorKind.ADMIN_INACTIVE),
        ('Admin "a" has status "inactive"', ErrorKind.ADMIN_INACTIVE),
        ("no permissions", ErrorKind.NO_PERMISSION),
        ("You have no permission to call this method", ErrorKind.NO_PERMISSION),
        ("You don't have permission to do that", ErrorKind.NO_PERMISSION),
        ("Incorrect usage of API", ErrorKind.UNSUPPORTED),
        ("Unknown action 'list'", ErrorKind.UNSUPPORTED),
        ("Action 'list' does not exist", ErrorKind.UNSUPPORTED),
        ("Invalid controller specified (outgoinguser)", ErrorKind.UNSUPPORTED),
        ("Domain already exists.", ErrorKind.ALREADY_EXISTS),
        ("example.com is present in the filtering software", ErrorKind.ALREADY_EXISTS),
        ("already present", ErrorKind.ALREADY_EXISTS),
        ("The IP is already in use by example.org", ErrorKind.ALREADY_EXISTS),
        ("Alias already exists", ErrorKind.ALREADY_EXISTS),
        ("No such domain.", ErrorKind.NOT_FOUND),
        ("example.com is not registered on this server", ErrorKind.NOT_FOUND),
        ("domain 'example.com' doesn't exist", ErrorKind.NOT_FOUND),
        ("The domain does not exist", ErrorKind.NOT_FOUND),
        ("Unable to find the outgoing user 'x'", ErrorKind.NOT_FOUND),
        ("No valid user specified", ErrorKind.NOT_FOUND),
        ("Domain exists, but the Domain user was not found in SpamExperts", ErrorKind.NOT_FOUND),
        ("The user has already been removed", ErrorKind.NOT_FOUND),
        ("You are not allowed to manage the domain 'example.com'", ErrorKind.FOREIGN),
        ("The domain 'example.com' does not belong to the admin 'a'", ErrorKind.NOT_YOURS),
        ("you is not owner", ErrorKind.NOT_YOURS),
        ("You are not the owner of 'example.com'.", ErrorKind.NOT_YOURS),
        (
            "You may not remove example.com while that domain has outgoing users.",
            ErrorKind.HAS_OUTGOING_USERS,
        ),
        ("You have reached the allowed limit of domains", ErrorKind.LIMIT_REACHED),
        ("Database connection error.", ErrorKind.SERVER_FAULT),
        ("exception : SQLSTATE[HY000]", ErrorKind.SERVER_FAULT),
        ("The user is already locked", ErrorKind.OTHER),
        ("domain name 'ex ample' is incorrect", ErrorKind.OTHER),
        ("The name 'already' is too long", ErrorKind.OTHER),
        ("Failed to add the user 'no such'", ErrorKind.OTHER),
        ("", ErrorKind.OTHER),
    ],
)
def test_known_texts(line: str, kind: ErrorKind) -> None:
    assert classify((line,)) is kind
    assert classify(("Failed to do it", line.upper())) is kind


def test_first_telling_line_decides() -> None:
    lines = ("Failed to add 'x'", "Domain already exists.", "No such domain.")
    assert classify(lines) is ErrorKind.ALREADY_EXISTS


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (envelope([]), Reply()),
        (envelope(None), Reply()),
        (envelope({}), Reply()),
        (b'{"result":null}', Reply()),
        (envelope([], {"present": 0}), Reply({"present": 0})),
        (envelope([], "1"), Reply("1")),
        (envelope([], ["a", "b"]), Reply(["a", "b"])),
        (envelope({"success": ["One", "Two"]}), Reply(None, ("One", "Two"))),
        (envelope({"success": "One"}), Reply(None, ("One",))),
        (envelope({"success": {"0": "One", "7": ["Two"]}}), Reply(None, ("One", "Two"))),
        (envelope({"success": ["Done"], "error": []}), Reply(None, ("Done",))),
        (envelope({"success": ["Done"], "error": None}), Reply(None, ("Done",))),
        (envelope({"SUCCESS": ["Done"], "warning": ["Look out"]}), Reply(None, ("Done",))),
        (envelope(["SUCCESS: Done"]), Reply(None, ("Done",))),
        (envelope({"0": "SUCCESS: Done"}), Reply(None, ("Done",))),
        (envelope({"success": ["Domain 'bücher.example' added"]}), Reply(None, ("Domain 'bücher.example' added",))),
        (BOM + b"\r\n" + envelope([], 1), Reply(1)),
        (BOM + BOM + envelope([], 1), Reply(1)),
        (b"\n\n  " + envelope([], 1) + b"\n", Reply(1)),
        (b'{"messages":[],"result":20160927.1030}', Reply("20160927.1030")),
        (b"20160927.1030\n", Reply("20160927.1030")),
        (b'{"present":1}', Reply({"present": 1})),
        (b'["alias.example.net"]', Reply(["alias.example.net"])),
        (b"100500", Reply(100500)),
        (b"true", Reply(True)),
        (b"SUCCESS: Domain 'example.com' removed\n", Reply(None, ("Domain 'example.com' removed",))),
        (b"success : a\nSUCCESS: b\n", Reply(None, ("a", "b"))),
        (b'SUCCESS: a\n{"moved":["x"]}\n', Reply({"moved": ["x"]}, ("a",))),
        (b"SUCCESS: a\nplain words\n", Reply("plain words", ("a",))),
        (b'{"messages":{"success":["\xfc"]},"result":null}', Reply(None, ("\ufffd",))),
        (b'{"messages":{"success":["<b>Done</b>"]},"result":null}', Reply(None, ("<b>Done</b>",))),
        (envelope([], "x : SQLSTATE y"), Reply("x : SQLSTATE y")),
    ],
)
@pytest.mark.parametrize("write", [False, True])
def test_good_replies(body: bytes, expected: Reply, write: bool) -> None:
    assert parse_reply(body, write=write) == expected


#: body, kind, and whether it ends in the middle. All are refused for writes and for reads.
BAD: list[tuple[bytes, ErrorKind, bool]] = [
    # JSON with errors in every shape of `messages`
    (envelope({"error": ["Domain already exists.", "Failed to add domain 'x'"]}), ErrorKind.ALREADY_EXISTS, False),
    (envelope({"error": "Supplied credential is invalid."}), ErrorKind.CREDENTIALS, False),
    (envelope({"error": {"0": "No such domain"}}), ErrorKind.NOT_FOUND, False),
    (envelope({"error": [["No such domain"], None, True]}), ErrorKind.NOT_FOUND, False),
    (envelope({"errors": ["No such domain"]}), ErrorKind.NOT_FOUND, False),
    (envelope({"Error": ["Something new"]}), ErrorKind.OTHER, False),
    (envelope({"success": ["Done"], "error": ["Something new"]}), ErrorKind.OTHER, False),
    (envelope({"error": ["Something new"]}, {"present": 1}), ErrorKind.OTHER, False),
    (envelope({"error": [42]}), ErrorKind.OTHER, False),
    (envelope(["Domain already exists."]), ErrorKind.ALREADY_EXISTS, False),
    (envelope(["ERROR: No such domain"]), ErrorKind.NOT_FOUND, False),
    (envelope([{"error": "Unable to find it"}]), ErrorKind.NOT_FOUND, False),
    (envelope({"0": "Incorrect usage of API"}), ErrorKind.UNSUPPORTED, False),
    (envelope("Incorrect usage of API"), ErrorKind.UNSUPPORTED, False),
    (envelope(7), ErrorKind.OTHER, False),
    (envelope({"success": ["Done : SQLSTATE[42S02]"]}), ErrorKind.SERVER_FAULT, False),
    (envelope({"error": ["see fatalerror.php"]}), ErrorKind.SERVER_FAULT, False),
    (b'{"error":"You have no permission to call this method"}', ErrorKind.NO_PERMISSION, False),
    (b'{"errors":["Supplied credential is invalid."]}', ErrorKind.CREDENTIALS, False),
    (BOM + b"\n" + envelope({"error": ["No such domain"]}), ErrorKind.NOT_FOUND, False),
    (b'{"messages":{"error":["No such \xfcser"]},"result":null}', ErrorKind.NOT_FOUND, False),
    # plain text with errors
    (b"ERROR: No such domain.\n", ErrorKind.NOT_FOUND, False),
    (b"error: No such domain.\r\n", ErrorKind.NOT_FOUND, False),
    (BOM + b"\n ERROR: No such domain.", ErrorKind.NOT_FOUND, False),
    (b"SUCCESS: a\nERROR: Something new\n", ErrorKind.OTHER, False),
    (b"ERROR: Database connection error.\nERROR: Failed to add alias 'x'\n", ErrorKind.SERVER_FAULT, False),
    (b"Your credentials are incorrect.", ErrorKind.CREDENTIALS, False),
    (b"You have no permission to call this method", ErrorKind.NO_PERMISSION, False),
    (b"ERROR:", ErrorKind.OTHER, False),
    # crashes
    (b"exception 'PDOException' with message : SQLSTATE[HY000]", ErrorKind.SERVER_FAULT, False),
    (b"<html><a href='/fatalerror.php'>Oops</a></html>", ErrorKind.SERVER_FAULT, False),
    # pages
    (b"<!DOCTYPE html><html><head><title>Please\n log in</title></head></html>", ErrorKind.BAD_REPLY, False),
    (b"<br />\n<b>Fatal error</b>: Uncaught Error", ErrorKind.BAD_REPLY, False),
    (b"<html>", ErrorKind.BAD_REPLY, False),
    (BOM + b"  <HTML><body>503 Service Unavailable</body>", ErrorKind.BAD_REPLY, False),
    # half of something
    (b"{", ErrorKind.BAD_REPLY, True),
    (b'{"messages":', ErrorKind.BAD_REPLY, True),
    (b'{"messages":[],"result":{"present"', ErrorKind.BAD_REPLY, True),
    (b'["alias.example.net","ali', ErrorKind.BAD_REPLY, True),
    (b'"96902e39', ErrorKind.BAD_REPLY, True),
    (b'{"messages":[],"result":NaN}', ErrorKind.BAD_REPLY, True),
    (b'{"messages":[],"result":1}{"messages":[]}', ErrorKind.BAD_REPLY, True),
    (b"[" * 100_000, ErrorKind.BAD_REPLY, True),
    (b'{"messages":[],"result":"\xff\xfe"}', ErrorKind.BAD_REPLY, False),
    (b'{"messages":[],"result":["caf\xe9@example.com"]}', ErrorKind.BAD_REPLY, False),
]


@pytest.mark.parametrize(("body", "kind", "cut_off"), BAD)
@pytest.mark.parametrize("write", [False, True])
def test_bad_replies(body: bytes, kind: ErrorKind, cut_off: bool, write: bool) -> None:
    with pytest.raises(ReplyError) as caught:
        parse_reply(body, write=write)
    assert (caught.value.kind, caught.value.cut_off) == (kind, cut_off)
    assert all(caught.value.lines) or body == b"ERROR:"


def test_the_table_is_long_enough() -> None:
    assert len({body for body, _kind, _cut_off in BAD}) >= 40


@pytest.mark.parametrize("body", [b"", b"\n", BOM, BOM + b" \r\n"])
def test_nothing_is_a_success_for_writes_only(body: bytes) -> None:
    assert parse_reply(body, write=True) == Reply()
    with pytest.raises(ReplyError, match="empty page"):
        parse_reply(body, write=False)


@pytest.mark.parametrize("body", [b"96902e3989150ebedffcb6a9f7c01a10", b"Welcome to the hotel's network"])
def test_words_are_a_result_for_reads_only(body: bytes) -> None:
    assert parse_reply(body, write=False) == Reply(body.decode())
    with pytest.raises(ReplyError) as caught:
        parse_reply(body, write=True)
    assert caught.value.kind is ErrorKind.BAD_REPLY


def test_false_is_no_success_of_a_write() -> None:
    assert parse_reply(envelope([], False), write=False) == Reply(False)
    assert parse_reply(envelope({"success": ["Done"]}, False), write=True) == Reply(False, ("Done",))
    for body in (envelope([], False), b"false"):
        with pytest.raises(ReplyError):
            parse_reply(body, write=True)


def test_pages() -> None:
    assert parse_page(b"<html>/api/outgoingusers/list/</html>") == "<html>/api/outgoingusers/list/</html>"
    assert parse_page(BOM + b"\n/api/domain/add/ the domain already exists\n") == (
        "/api/domain/add/ the domain already exists"
    )
    assert parse_page(b"") == ""
    for body in (b"ERROR: You have no permission to call this method\n", envelope({"error": ["no permissions"]})):
        with pytest.raises(ReplyError) as caught:
            parse_page(body)
        assert caught.value.kind is ErrorKind.NO_PERMISSION


def test_every_kind_has_a_remedy_or_gives_its_own() -> None:
    assert set(ErrorKind) - set(REMEDIES) == {ErrorKind.UNREACHABLE}


@given(body=st.binary(max_size=200), write=st.booleans())
def test_any_bytes_are_a_reply_or_an_error(body: bytes, write: bool) -> None:
    with suppress(ReplyError):
        assert isinstance(parse_reply(body, write=write), Reply)


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["error", "0", "x"]), inner),
        max_leaves=8,
    ),
    write=st.booleans(),
)
def test_any_messages_are_understood(value: object, write: bool) -> None:
    with suppress(ReplyError):
        assert parse_reply(envelope(value), write=write).result is None
