# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The model of the credential store."""

from __future__ import annotations

import json

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._names import InputError
from ansible_collections.smarthost.spamexperts.plugins.plugin_utils._credentials import Credential, Credentials

OLD, NEW = "old password 1", "new password 2"


def credentials(*entries: Credential) -> Credentials:
    return Credentials({entry.name: entry for entry in entries})


def make() -> str:
    return NEW


def test_a_rotation_from_beginning_to_end() -> None:
    store = credentials(Credential("web", "web@example.com", OLD))
    assert store.stage("web", "web2@example.com", make) == "staged"
    assert store.get("web") == Credential("web", "web@example.com", OLD, NEW, "web2@example.com")
    assert store.get("web").in_use == ("web@example.com", OLD)
    assert store.switch("web") == "switched"
    assert store.switch("web") == "unchanged"
    assert store.get("web").in_use == ("web2@example.com", NEW)
    assert store.commit("web") == "committed"
    assert store.get("web") == Credential("web", "web2@example.com", NEW, former=OLD, former_login="web@example.com")
    assert Credentials.from_text(store.to_text()).entries == store.entries
    assert store.commit("web") == "unchanged"


def test_a_staged_password_is_kept_because_the_vendor_may_know_it() -> None:
    store = credentials(Credential("web", "web", OLD, "staged before", "web"))
    assert store.stage("web", "", make) == "unchanged"
    assert store.get("web").next == "staged before"


def test_a_staged_password_that_was_refused_is_made_anew_where_that_is_asked_for() -> None:
    staged = Credential("web", "web", OLD, "staged before", "web")
    store = credentials(staged)
    assert store.stage("web", "", make, renew=True) == "unchanged", "nobody has refused it"
    assert (store.refuse("web"), store.refuse("web")) == ("refused", "unchanged")
    store = Credentials.from_text(store.to_text())
    assert store.stage("web", "", make) == "unchanged"
    assert store.stage("web", "", make, renew=True) == "staged"
    assert store.get("web") == Credential("web", "web", OLD, NEW, "web")
    store.switch("web")
    assert store.refuse("web") == "unchanged", "it is in use"


def test_a_former_password_stays_until_the_next_one_or_until_it_is_forgotten() -> None:
    store = credentials(Credential("web", "b", OLD, former="former", former_login="a"))
    store.stage("web", "a", make)
    store.roll_back("web")
    assert store.get("web").former == "former"
    assert (store.forget_former("web"), store.forget_former("web")) == ("updated", "unchanged")
    assert store.get("web") == Credential("web", "b", OLD)


def test_a_staged_login_cannot_become_another_one() -> None:
    store = credentials(Credential("web", "a", OLD, NEW, "b"))
    with pytest.raises(InputError, match="in the middle of a rotation to the login b, not c"):
        store.stage("web", "c", make)


@pytest.mark.parametrize("mark", ["locked", "leaked"])
def test_it_is_remembered_until_the_end_of_the_rotation(mark: str) -> None:
    store = credentials(Credential("web", "web", OLD))
    assert store.stage("web", "", make) == "staged"
    assert store.stage("web", "", make, **{mark: True}) == "staged", "an emergency after all"
    assert store.stage("web", "", make) == "unchanged"
    store.switch("web")
    again = Credentials.from_text(store.to_text())
    assert again.entries == store.entries
    assert again.get("web") == Credential(
        "web", "web", OLD, NEW, "web", switched=True, locked=mark == "locked", leaked=mark == "leaked"
    )
    assert again.commit("web") == "committed"
    assert again.get("web") == Credential("web", "web", NEW, former=OLD, former_login="web")
    assert mark not in again.to_text()


def test_a_lock_is_forgotten_by_the_way_back_too() -> None:
    store = credentials(Credential("web", "web", OLD, NEW, "web", switched=True, locked=True))
    store.roll_back("web")
    assert not store.get("web").locked
    assert "locked" not in store.to_text()


def test_a_password_that_is_out_never_comes_back() -> None:
    store = credentials(Credential("web", "web", OLD, NEW, "web", switched=True, leaked=True))
    for back in (store.revert, store.roll_back):
        with pytest.raises(InputError, match="the password of web from before has leaked"):
            back("web")


def test_the_way_back_keeps_the_next_password_until_its_end() -> None:
    store = credentials(Credential("web", "a", OLD, NEW, "b", switched=True))
    assert store.revert("web") == "reverted"
    assert store.get("web") == Credential("web", "a", OLD, NEW, "b")
    assert store.revert("web") == "unchanged"
    assert credentials(Credential("web", "a", OLD)).revert("web") == "unchanged"


def test_what_is_not_staged_cannot_be_switched() -> None:
    with pytest.raises(InputError, match="web has no next password"):
        credentials(Credential("web", "web", OLD)).switch("web")


def test_roll_back_forgets_the_next_password() -> None:
    store = credentials(Credential("web", "a", OLD, NEW, "b", switched=True))
    assert store.roll_back("web") == "rolled_back"
    assert store.get("web") == Credential("web", "a", OLD)
    assert store.roll_back("web") == "unchanged"


def test_ensure_creates_and_overwrites_only_when_told() -> None:
    store = credentials()
    assert store.ensure("web", "", None, make, overwrite=False) == "created"
    assert store.get("web") == Credential("web", "web", NEW)
    assert store.ensure("web", "web", "another password", make, overwrite=False) == "unchanged"
    assert store.get("web").current == NEW
    assert store.ensure("web", "", "another password", make, overwrite=True) == "updated"
    assert store.get("web").current == "another password"
    assert store.ensure("web", "", "another password", make, overwrite=True) == "unchanged"


@pytest.mark.parametrize(
    ("entry", "login", "password", "message"),
    [
        (Credential("web", "a", OLD), "b", None, "is there with the login a, not b"),
        (Credential("web", "a", OLD, NEW, "a"), "", "another password", "in the middle of a rotation"),
        (Credential("other", "a", OLD), "", "short", "shorter than 12"),
    ],
)
def test_ensure_refuses(entry: Credential, login: str, password: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        credentials(entry).ensure("web", login, password, make, overwrite=True)


def test_remove() -> None:
    store = credentials(Credential("web", "web", OLD))
    assert store.remove("web") == "removed"
    assert store.remove("web") == "unchanged"
    with pytest.raises(InputError, match="it has no credential web; create it"):
        store.get("web")


PASSWORDS = [
    "quo'te\"back\\slash",
    "{{ jinja }} {% x %}",
    "ünï¢ode \U0001f511",
    "yes",
    "1234",
    "# no comment",
    "- a",
    "x" * 500,
    "~",
    "what ends a line in YAML: \x85 \u2028 \u2029",
    "what must not stand there: \x7f \x80 \ufeff \ufffe \x00 \t",
    "\U000e0001",
]
#: libyaml does not take it.
NO_TEXT = "bytes that are no UTF-8: \udce4"


@pytest.mark.parametrize(
    ("edited", "passwords"), [("", [*PASSWORDS, NO_TEXT]), ("# by hand\n", PASSWORDS)], ids=["as JSON", "as YAML"]
)
def test_every_password_survives_the_file(edited: str, passwords: list[str]) -> None:
    names = [f"n{number}" for number in range(len(passwords))]
    pairs = zip(names, passwords)
    store = credentials(*(Credential(name, "l", text, text, "l", name > "n5") for name, text in pairs))
    again = Credentials.from_text(edited + store.to_text())
    assert again.entries == store.entries
    assert [again.get(name).current for name in names] == passwords


def test_the_file_is_json_with_a_line_for_each_credential() -> None:
    store = credentials(Credential("web", "web@example.com", OLD), Credential("a", "a", OLD, NEW, "b", switched=True))
    text = store.to_text()
    assert text.endswith(
        """
  "format": 1,
  "credentials": {
    "a": {"login": "a", "current": "old password 1", "next_login": "b", "next": "new password 2", "in_use": "next"},
    "web": {"login": "web@example.com", "current": "old password 1"}
  }
}
"""
    )
    assert json.loads(text)["format"] == 1
    assert json.loads(credentials().to_text())["credentials"] == {}


def test_what_a_person_may_do_to_json() -> None:
    """A comment, a last comma, and a credential written as in YAML."""
    text = credentials(Credential("web", "web", OLD)).to_text()
    edited = text.replace("  }\n}", "    # Tuesday\n    ,db: {current: 'another password',},\n  }\n}")
    assert edited != text
    entries = Credentials.from_text(edited).entries
    assert entries == {"web": Credential("web", "web", OLD), "db": Credential("db", "db", "another password")}


def test_who_needs_one_credential_does_not_look_at_the_others() -> None:
    store = Credentials.from_text("format: 1\ncredentials: {web: {current: abc}, db: {current: 1}}")
    assert store.get("web").current == "abc"
    for _time in (1, 2):
        with pytest.raises(InputError, match="db has a value that is not a text"):
            store.get("db")
        with pytest.raises(InputError, match="db has a value that is not a text"):
            print(store.entries)
    with pytest.raises(InputError, match="it has no credential mail"):
        store.get("mail")


def test_nothing_shown_holds_a_password() -> None:
    entry = Credential("web", "web", OLD, NEW, "web2")
    assert OLD not in repr(entry)
    assert NEW not in repr(entry)
    assert entry.to_result() == {
        "name": "web",
        "login": "web",
        "rotating": True,
        "next_login": "web2",
        "switched": False,
        "locked": False,
        "leaked": False,
    }
    assert "next_login" not in Credential("web", "web", OLD).to_result()


def test_a_file_by_hand_needs_only_the_password() -> None:
    store = Credentials.from_text("format: 1\ncredentials:\n  web@example.com:\n    current: abc\n")
    assert store.get("web@example.com") == Credential("web@example.com", "web@example.com", "abc")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- secret", "not a credential store of format 1"),
        ("format: 2\ncredentials: {}", "not a credential store of format 1"),
        ("format: 1\ncredentials:\n  web: {current: 123456789012}", "web has a value that is not a text"),
        ("format: 1\ncredentials:\n  web: {login: secret}", "web needs current"),
        (
            "format: 1\ncredentials:\n  web: {current: secret, pasword: secret}",
            "web needs current, and may have current, former, former_login, in_use, leaked, locked, login, made, ",
        ),
        ("format: 1\ncredentials: {web: {current: 'secret}", "not valid YAML in line 2"),
        ('{"format": 1,\n "credentials": {"web": {"current": "secret}}}', "not valid JSON in line 2"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_a_broken_file_is_refused_without_quoting_it(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        print(Credentials.from_text(text).entries)
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
