# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""prefs.js: whatever Thunderbird can write survives our edit."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._thunderbird.errors import ThunderbirdError
from ansible_collections.smarthost.spamexperts.plugins.module_utils._thunderbird.preferences import Preferences
from ansible_collections.smarthost.spamexperts.plugins.module_utils._thunderbird.server import (
    OutgoingServer,
    SavedLogin,
    ServerEntry,
)
from hypothesis import given
from hypothesis import strategies as st

from tests.support.preferences import HEADER, PreferenceValue, read_preferences, write_preferences

SERVER = OutgoingServer("smarthost.test", 587, "starttls", "password", "info@example.com", 'The "house" of \\ mail')
OURS = (b"mail.smtpserver.spamexperts.", b"smarthost.spamexperts.spamexperts.")
SHARED = {b"mail.smtpservers", b"mail.smtp.defaultserver"}

# What a string may hold: every byte but NUL, with those that a careless reader trips over more often.
ODD = [b'"', b"\\", b"\n", b"\r", b"\t", b"\x0b", b"\x85", b"\xe4", b"\xe2\x80\xa8", b"//", b"/*", b"*/", b"#", b");"]
ODD += [b'user_pref("mail.smtpservers", "");', b"\\n", b'", "', b"\x7f", b"\xf0\x9f\x93\xa7", b"'", b"\\u0041"]
TEXT = st.lists(st.one_of(st.sampled_from(ODD), st.binary(min_size=1, max_size=4)), max_size=6).map(
    lambda parts: b"".join(parts).replace(b"\x00", b"")
)
VALUES = st.one_of(TEXT, st.booleans(), st.integers(-(2**31), 2**31 - 1))
NAMES = TEXT.filter(lambda name: name and not name.startswith((b"mail.", b"smarthost.")))
ADDRESSES = ["alice@example.com", "Info@Example.com", "bob@example.org"]


@st.composite
def profiles(draw: st.DrawFn) -> dict[bytes, PreferenceValue]:
    """Preferences as a profile may have them: own servers, identities, and anything else."""
    preferences: dict[bytes, PreferenceValue] = draw(st.dictionaries(NAMES, VALUES, max_size=12))
    servers = draw(st.lists(st.sampled_from([b"smtp1", b"smtp2", b"ews1"]), unique=True))
    if servers:
        preferences[b"mail.smtpservers"] = b",".join(servers)
        if draw(st.booleans()):
            preferences[b"mail.smtp.defaultserver"] = draw(st.sampled_from(servers))
    for server in servers:
        preferences[b"mail.smtpserver." + server + b".hostname"] = draw(TEXT)
        preferences[b"mail.smtpserver." + server + b".description"] = draw(TEXT)
    identities = draw(st.integers(0, 3))
    preferences[b"mail.accountmanager.accounts"] = b"account1"
    preferences[b"mail.account.account1.identities"] = b",".join(b"id%d" % number for number in range(identities))
    for number in range(identities):
        preferences[b"mail.identity.id%d.useremail" % number] = ADDRESSES[number].encode()
        if draw(st.booleans()):
            own = draw(st.sampled_from([b"", *servers]))
            preferences[b"mail.identity.id%d.smtpServer" % number] = own
    return preferences


def edit(content: bytes, *, default: bool, addresses: list[str]) -> bytes:
    preferences = Preferences(content)
    entry = ServerEntry(preferences, "spamexperts")
    entry.put(SERVER)
    entry.set_default(default)
    entry.set_identities(addresses)
    entry.saved_login = SavedLogin("{guid}", SERVER.origin, SERVER.login)
    return preferences.content


def take_away(content: bytes) -> bytes:
    preferences = Preferences(content)
    ServerEntry(preferences, "spamexperts").remove()
    return preferences.content


def foreign(preferences: dict[bytes, PreferenceValue]) -> dict[bytes, PreferenceValue]:
    """Without what is ours, and what is shared with others by its nature."""
    return {
        name: value
        for name, value in preferences.items()
        if not name.startswith(OURS) and name not in SHARED and not name.endswith(b".smtpServer")
    }


@given(preferences=profiles(), default=st.booleans(), addresses=st.lists(st.sampled_from(ADDRESSES), unique=True))
def test_the_edit_changes_nothing_else_and_its_removal_is_the_identity(
    preferences: dict[bytes, PreferenceValue], default: bool, addresses: list[str]
) -> None:
    before = write_preferences(preferences)
    after = edit(before, default=default, addresses=addresses)
    read = read_preferences(after)

    assert foreign(read) == foreign(preferences)
    assert read[b"mail.smtpserver.spamexperts.hostname"] == b"smarthost.test"
    assert read[b"mail.smtpserver.spamexperts.port"] == 587
    assert read[b"mail.smtpserver.spamexperts.description"] == SERVER.description.encode()
    servers = preferences.get(b"mail.smtpservers")
    assert read[b"mail.smtpservers"] == (b"%s,spamexperts" % servers if isinstance(servers, bytes) else b"spamexperts")
    assert (read.get(b"mail.smtp.defaultserver") == b"spamexperts") == default
    wanted = {address.lower() for address in addresses}
    for number, address in enumerate(ADDRESSES):
        if b"mail.identity.id%d.useremail" % number in preferences:
            name = b"mail.identity.id%d.smtpServer" % number
            assert (read.get(name) == b"spamexperts") == (address.lower() in wanted)
            if address.lower() not in wanted:
                assert read.get(name) == preferences.get(name)

    assert edit(after, default=default, addresses=addresses) == after
    assert take_away(after) == before


@given(preferences=profiles())
def test_what_is_not_ours_keeps_its_bytes_and_its_order(preferences: dict[bytes, PreferenceValue]) -> None:
    before = write_preferences(preferences)
    after = edit(before, default=True, addresses=ADDRESSES)
    changed = [*SHARED, *(name for name in preferences if name.endswith(b".smtpServer"))]
    lines = [line for line in before.split(b"\n") if not any(b'"%s"' % name in line for name in changed)]
    rest = iter(after.split(b"\n"))
    assert all(line in rest for line in lines)


@given(preferences=profiles())
def test_both_readers_agree(preferences: dict[bytes, PreferenceValue]) -> None:
    content = write_preferences(preferences)
    assert read_preferences(content) == preferences
    ours = Preferences(content)
    read: dict[bytes, Any] = {}
    for name in ours.names(""):
        value = ours.get(name)
        raw = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
        read[name.encode("utf-8", "surrogateescape")] = raw
    assert read == preferences


@pytest.mark.parametrize(
    "header", [b"", HEADER, b"# Mozilla User Preferences\n\n/* Do not edit this file.\n *\n */\n\n"]
)
def test_comments_of_all_times_are_kept(header: bytes) -> None:
    before = write_preferences({b"a": 1}, header)
    after = edit(before, default=False, addresses=[])
    assert after.startswith(before)
    assert take_away(after) == before


@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n", b"\n// a comment", b" // a comment\n"])
def test_the_end_of_the_file_comes_back(end: bytes) -> None:
    before = b'user_pref("a", true);' + end
    after = edit(before, default=False, addresses=[])
    assert read_preferences(after)[b"mail.smtpserver.spamexperts.port"] == 587
    assert take_away(after) == before


def test_the_last_of_several_counts_and_all_of_them_go() -> None:
    preferences = Preferences(b'user_pref("a", 1);\nuser_pref("b", 1);\nuser_pref("a", 2);\n')
    assert preferences.get("a") == 2
    preferences.set("a", 3)
    assert read_preferences(preferences.content) == {b"a": 3, b"b": 1}
    preferences.remove("a")
    assert preferences.content == b'user_pref("b", 1);\n'


def test_a_number_is_not_a_truth() -> None:
    preferences = Preferences(b'user_pref("a", true);\n')
    preferences.set("a", 1)
    assert preferences.content == b'user_pref("a", 1);\n'


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'user_pref("a", 1);\nuser_pref("b", tr', "line 2"),
        (b'user_pref("a", "half a', "line 1"),
        (b'user_pref("a", "two\nlines");\n', "line 1"),
        (b'user_pref("a", 1)\nuser_pref("b", 1);\n', "line 1"),
        (b"user_pref(\"a\", 'x');\n", "line 1"),
        (b'pref("a", 1);\n', "line 1"),
        (b"/* a comment without an end", "line 1"),
        (b"\x00\x00\x00\x00", "line 1"),
        (b'user_pref("a", "\\q");\n', r"escape that Thunderbird does not know: \q"),
        (b'user_pref("a\\u0041", 1);\n', r"escape that Thunderbird does not know: \u"),
        (b'user_pref("a", 1);\r\n', "Windows line ends"),
        (b'\xef\xbb\xbfuser_pref("a", 1);\n', "byte order mark"),
    ],
)
def test_what_thunderbird_would_not_write_is_refused(content: bytes, says: str) -> None:
    with pytest.raises(ThunderbirdError, match=re.escape(says)):
        Preferences(content)
