# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""logins.json: other logins keep every byte, and what has to change is decided right."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._thunderbird.errors import ThunderbirdError
from ansible_collections.smarthost.spamexperts.plugins.module_utils._thunderbird.logins import EMPTY, LoginsFile
from ansible_collections.smarthost.spamexperts.plugins.module_utils._thunderbird.nss import is_aes
from ansible_collections.smarthost.spamexperts.plugins.module_utils._thunderbird.saved_login import (
    LoginChange,
    plan_gone,
    plan_saved,
)
from ansible_collections.smarthost.spamexperts.plugins.module_utils._thunderbird.server import (
    OutgoingServer,
    SavedLogin,
)
from hypothesis import given
from hypothesis import strategies as st

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(st.characters(exclude_categories=["Cs"]), max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=2), st.dictionaries(st.text('abc"\\é', max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)


@st.composite
def files(draw: st.DrawFn) -> tuple[list[str], str, str]:
    """The texts of the logins, and what stands before and after them in the file."""
    logins = []
    for number in range(draw(st.integers(0, 4))):
        login = {"id": number + 1, "guid": f"{{{number}}}", "hostname": "smtp://other.test"}
        login.update(encryptedUsername="", encryptedPassword="", more=draw(JSON), **{'odd"': draw(JSON)})
        logins.append(json.dumps(login, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1]))))
    number, more = draw(st.integers(5, 99)), json.dumps(draw(JSON))
    members = draw(st.permutations([f'"nextId":{number}', '"version": 3', f'"more" :{more}']))
    split = draw(st.integers(0, 3))
    before, after = members[:split], members[split:]
    return logins, "{" + ",\n".join([*before, '"logins": [']), ",".join(["]", *after]) + "}"


@given(parts=files(), separator=st.sampled_from([",", ", ", " ,\n"]))
def test_adding_and_removing_a_login_keeps_the_bytes_of_the_others(
    parts: tuple[list[str], str, str], separator: str
) -> None:
    logins, before, after = parts
    text = before + separator.join(logins) + after
    file = LoginsFile(text.encode())
    number = json.loads(text)["nextId"]

    file.add("{new}", "smtp://smarthost.test", "name", "secret")
    added = file.content.decode()
    prefix = before.replace(f'"nextId":{number}', f'"nextId":{number + 1}') + separator.join(logins)
    suffix = after.replace(f'"nextId":{number}', f'"nextId":{number + 1}')
    assert added.startswith(prefix)
    assert added.endswith(suffix)
    assert json.loads(added)["logins"][-1]["id"] == number
    assert json.loads(added)["logins"][:-1] == json.loads(text)["logins"]

    file.remove("{new}")
    assert file.content.decode() == prefix + suffix


@given(parts=files(), data=st.data())
def test_replacing_a_login_keeps_the_bytes_of_the_others(
    parts: tuple[list[str], str, str], data: st.DataObject
) -> None:
    logins, before, after = parts
    if logins:
        index = data.draw(st.integers(0, len(logins) - 1))
        file = LoginsFile((before + ",".join(logins) + after).encode())
        login = file.logins[index]
        login["encryptedPassword"] = "new"
        file.replace(login)
        logins[index] = json.dumps(login, separators=(",", ":"))
        assert file.content.decode() == before + ",".join(logins) + after

        file.remove(login["guid"])
        assert [other["guid"] for other in json.loads(file.content)["logins"]] == [
            json.loads(other)["guid"] for other in logins[:index] + logins[index + 1 :]
        ]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"{}",
        b'{"nextId":1}',
        b'{"logins":[]}',
        b'{"nextId":"1","logins":[]}',
        b'{"nextId":true,"logins":[]}',
        b'{"nextId":1,"logins":{}}',
        b'{"nextId":1,"logins":[1]}',
        b'{"nextId":1,"logins":[{}]}',
        b'{"nextId":1,"logins":[',
        b'{"nextId":1,"logins":[],}',
        b'{"nextId":1,"logins":[]} and more',
        b'{"nextId":1,"logins":[],"logins":[]}',
        b'{1:2,"nextId":1,"logins":[]}',
        b'{"nextId":1,"logins":[],"version":null}',
        b'\xef\xbb\xbf{"nextId":1,"logins":[]}',
        b'{"nextId":1,"logins":[],"name":"\xe4"}',
        b"[" * 100000,
    ],
)
def test_what_is_not_a_list_of_logins_is_refused(content: bytes) -> None:
    with pytest.raises(ThunderbirdError, match=r"logins.json is not the list .* restore it"):
        LoginsFile(content)


def test_a_format_of_the_future_is_refused() -> None:
    with pytest.raises(ThunderbirdError, match="format version 4"):
        LoginsFile(b'{"nextId":1,"logins":[],"version":4}')


def test_what_stays_of_a_deleted_login_is_no_login_and_stays() -> None:
    """As logins.json has it where logins are synchronised."""
    gone = b'{"guid":"{gone}","deleted":true,"syncCounter":1}'
    saved = LoginsFile(EMPTY.replace(b"[]", b"[" + gone + b"]", 1))
    saved.add("{new}", "smtp://a.test", "u", "p")
    assert [entry["guid"] for entry in saved.logins] == ["{new}"]
    saved.remove("{new}")
    assert gone in saved.content
    assert saved.logins == []


# The decisions. A "decryption" that only takes a prefix away shows what was encrypted.


def server(host: str = "a.test", login: str = "info") -> OutgoingServer:
    return OutgoingServer(host, 587, "starttls", "password", login, "")


def ours(host: str = "a.test", login: str = "info") -> SavedLogin:
    return SavedLogin("m", f"smtp://{host}", login)


def login(guid: str, host: str, name: str, saved: str = "old", **more: Any) -> dict[str, Any]:
    origin = f"smtp://{host}"
    encrypted = {"encryptedUsername": f"encrypted {name}", "encryptedPassword": f"encrypted {saved}"}
    return {"guid": guid, "hostname": origin, "httpRealm": origin, **encrypted, **more}


def decrypt(texts: Sequence[str]) -> list[str]:
    return [text[len("encrypted ") :] for text in texts]


def never(texts: Sequence[str]) -> list[str]:
    raise AssertionError("nothing had to be decrypted")


def test_a_new_password_is_added() -> None:
    plan = plan_saved([login("u", "other.test", "info")], decrypt, server(), "new", ours=None)
    assert [(change.origin, change.username, change.password, change.is_new) for change in plan.changes] == [
        ("smtp://a.test", "info", "new", True)
    ]
    assert plan.ours == SavedLogin(plan.changes[0].guid, "smtp://a.test", "info")
    assert (plan.before, plan.after) == ("none", "as wanted")


def test_the_same_password_is_left_alone() -> None:
    plan = plan_saved([login("m", "a.test", "info", "new")], decrypt, server(), "new", ours=ours())
    assert (plan.changes, plan.ours) == ([], ours())


def test_another_password_is_replaced_in_its_place() -> None:
    plan = plan_saved([login("m", "a.test", "info")], decrypt, server(), "new", ours=ours())
    assert plan.changes == [LoginChange("m", "smtp://a.test", None, "new")]
    assert plan.changes[0].is_new_password_only


def test_a_login_that_was_there_before_stays_the_persons() -> None:
    plan = plan_saved([login("u", "a.test", "info")], decrypt, server(), "new", ours=None)
    assert plan.changes == [LoginChange("u", "smtp://a.test", None, "new")]
    assert plan.ours is None


def test_logins_of_other_realms_are_not_ours() -> None:
    plan = plan_saved(
        [login("u", "a.test", "info", httpRealm=None)], never_called_with_logins, server(), "new", ours=None
    )
    assert plan.changes[0].is_new


def never_called_with_logins(texts: Sequence[str]) -> list[str]:
    assert not texts
    return []


@pytest.mark.parametrize(
    "old", [server("before.test", "info"), server("a.test", "someone"), server("before.test", "x")]
)
def test_the_login_of_a_former_host_or_name_moves(old: OutgoingServer) -> None:
    saved = [login("m", old.host, old.login), login("u", old.host, "person")]
    plan = plan_saved(saved, decrypt, server(), "new", ours=ours(old.host, old.login))
    assert plan.changes == [LoginChange("m", "smtp://a.test", "info", "new")]
    assert plan.ours == ours()


def test_without_a_password_it_moves_to_another_host_but_not_to_another_name() -> None:
    saved = [login("m", "before.test", "info")]
    plan = plan_saved(saved, decrypt, server(), None, ours=ours("before.test"))
    assert plan.changes == [LoginChange("m", "smtp://a.test")]
    assert not plan.changes[0].is_new_password_only
    plan = plan_saved(saved, decrypt, server(login="other"), None, ours=ours("before.test"))
    assert (plan.changes, plan.ours) == ([LoginChange("m")], None)


def test_a_leftover_goes_when_the_person_has_already_saved_the_new_one() -> None:
    saved = [login("m", "before.test", "info"), login("u", "a.test", "info", "new")]
    plan = plan_saved(saved, decrypt, server(), "new", ours=ours("before.test"))
    assert (plan.changes, plan.ours) == ([LoginChange("m")], None)
    plan = plan_saved(saved, decrypt, server(), None, ours=ours("before.test"))
    assert plan.changes == [LoginChange("m")]


def test_what_the_person_has_saved_since_for_the_host_of_their_choice_is_theirs() -> None:
    """They have changed our entry in the dialogue, which made Thunderbird forget our login."""
    theirs = [login("u", "private.test", "me")]
    plan = plan_saved(theirs, decrypt, server(), "new", ours=ours())
    assert [change.is_new for change in plan.changes] == [True]
    assert plan_gone(theirs, never, ours()).changes == []


def test_without_a_password_nothing_is_decrypted_for_nothing() -> None:
    plan = plan_saved([login("u", "other.test", "info")], never, server(), None, ours=None)
    assert (plan.changes, plan.after) == ([], "none")


def test_our_login_goes_without_any_key() -> None:
    assert plan_gone([login("m", "a.test", "info")], never, ours()).changes == [LoginChange("m")]


def test_our_login_goes_also_when_it_was_saved_anew() -> None:
    saved = [login("n", "a.test", "info"), login("u", "a.test", "person")]
    assert plan_gone(saved, decrypt, ours()).changes == [LoginChange("n")]
    assert plan_gone([], never, ours()).changes == []


def test_a_login_that_is_not_ours_stays() -> None:
    assert plan_gone([login("u", "a.test", "info")], never, None).changes == []


@pytest.mark.parametrize(
    ("encrypted", "aes"),
    [
        # Written by Thunderbird 153 and 140.
        ("MEMEEPgAAAAAAAAAAAAAAAAAAAEwHQYJYIZIAWUDBAEqBBAsVz/y4l3QdKGVhbb2ppR1BBCK1E+puXfBcO5ghDYCc8Li", True),
        ("MDIEEPgAAAAAAAAAAAAAAAAAAAEwFAYIKoZIhvcNAwcECLpH7sPHTWmMBAi2MRUcqx8g2w==", False),
        ("not base64", False),
        ("", False),
    ],
)
def test_the_cipher_is_told_by_its_identifier(encrypted: str, aes: bool) -> None:
    assert is_aes(encrypted) == aes


def test_the_empty_file_is_one_that_can_be_read() -> None:
    assert LoginsFile(EMPTY).logins == []
