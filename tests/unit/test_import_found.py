# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a site has already, in Postfix maps and the vendor's CSV, and what becomes of each login."""

from __future__ import annotations

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix.password_maps import (
    Entry,
    Pair,
    map_entries,
    map_files,
)
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users.user import Key
from ansible_collections.smarthost.spamexperts.plugins.plugin_utils._credentials import Credential
from ansible_collections.smarthost.spamexperts.plugins.plugin_utils._import_found import (
    Found,
    FoundError,
    Login,
    Site,
    Verdict,
    after_trial,
    before_trial,
    by_key,
    csv_logins,
    gathered,
)


def test_map_files() -> None:
    setting = "hash:/etc/postfix/sasl, proxy:lmdb:/etc/a mysql:/etc/b.cf static:user:word"
    assert map_files(setting) == (["/etc/postfix/sasl", "/etc/a"], ["mysql", "static"])
    assert map_files("") == ([], [])


@pytest.mark.parametrize(
    ("setting", "files", "others"),
    [
        ("inline:{ {[h]:587=user:pass,word12345} }, hash:/etc/a", ["/etc/a"], ["inline"]),
        ("static:{user:pass word}", [], ["static"]),
        ("static:user:pass word:12345", [], ["static", "unknown"]),
        ("static:{user:pass word", [], ["static"]),
    ],
)
def test_no_part_of_a_password_is_taken_for_the_type_of_a_map(
    setting: str, files: list[str], others: list[str]
) -> None:
    assert map_files(setting) == (files, others)


def test_map_entries() -> None:
    text = (
        "# comment: no:login\n\n  # another\n[smart.test]:587 a@example.com:se:cr et \n"
        "b@example.com\tb@example.com:long\n   er\nnothing\n@c.test c.test:x\n@d.test c.test:x\n"
    )
    assert map_entries(text) == [
        Entry("[smart.test]:587", Pair("a@example.com", "se:cr et")),
        Entry("b@example.com", Pair("b@example.com", "long   er")),
        Entry("@c.test", Pair("c.test", "x")),
        Entry("@d.test", Pair("c.test", "x")),
    ]


@pytest.mark.parametrize(
    ("key", "server"),
    [
        ("[Smart.test]:587", "smart.test"),
        ("[smart.test]", "smart.test"),
        ("smart.test:submission", "smart.test"),
        ("smart.test", "smart.test"),
        ("[2001:db8::1]:587", "2001:db8::1"),
        ("[ipv6:2001:DB8:0::1]:587", "2001:db8::1"),
        ("müller.example:587", "xn--mller-kva.example"),
        ("@example.com", None),
        ("alice@example.com", None),
    ],
)
def test_whose_login_an_entry_is(key: str, server: str | None) -> None:
    assert Entry(key, Pair("login", "password")).server == server


@pytest.mark.parametrize("character", ["\x85", "\u2028", "\u2029", "\x1c", "\xa0"])
def test_a_password_is_what_postfix_reads(character: str) -> None:
    """Python takes all of these for the end of a line, or for a blank."""
    text = f"[smart.test]:587 a@example.com:{character}sec{character}ret{character}\r\n\r\nb@example.com\tb:word\n"
    assert [entry.pair for entry in map_entries(text)] == [
        Pair("a@example.com", f"{character}sec{character}ret{character}"),
        Pair("b", "word"),
    ]


PLACE = "the CSV"


def test_csv_logins() -> None:
    text = (
        'domain,password,limit,UserName\nexample.com,"se,cr""et",5,web\nexample.com,word,5,full@example.com\n'
        "example.net,dom,5,\nexample.com,,5,nopass\n,lost,5,x\n"
    )
    assert csv_logins(text, PLACE) == (
        [
            Found("web@example.com", 'se,cr"et', PLACE),
            Found("full@example.com", "word", PLACE),
            Found("example.net", "dom", PLACE),
            Found("nopass@example.com", "", PLACE),
        ],
        [],
    )


@pytest.mark.parametrize(
    "text",
    [
        "user10,domain1.test,pa5;Swo;rd1\n1.2.3.4/32,domain1.test,pAssw0rd2\n,domain2.test,word\n",
        "\ufeffusername;domain;password\nuser10;domain1.test;pa5;Swo;rd1\n1.2.3.4/32;domain1.test;\n;domain2.test;word\n",
        "\ufeffpassword\tusername\tdomain\r\npa5;Swo;rd1\tuser10\tdomain1.test\r\n\t1.2.3.4\tDomain1.test\r\nword\t\tdomain2.test",
    ],
)
def test_a_csv_in_any_order_with_any_mark_and_without_names(text: str) -> None:
    logins, networks = csv_logins(text.replace("pa5;Swo;rd1", '"pa5;Swo;rd1"'), PLACE)
    assert logins == [Found("user10@domain1.test", "pa5;Swo;rd1", PLACE), Found("domain2.test", "word", PLACE)]
    assert networks == [Key("domain1.test", "1.2.3.4")]


def test_a_csv_without_the_columns() -> None:
    with pytest.raises(FoundError, match="the CSV has no column username, domain; its first line must name") as caught:
        csv_logins("user,password\na,secret\n", PLACE)
    assert "secret" not in str(caught.value)
    with pytest.raises(FoundError, match=r"the CSV, line 3: '1\.2\.3\.4/8' is an address inside"):
        csv_logins("username,domain\nweb,a.test\n1.2.3.4/8,a.test\n", PLACE)


def test_one_login_is_one_however_it_is_written() -> None:
    logins, strange = gathered(
        [
            Found("Web@Example.com", "word", "h1", "relay", "h1"),
            Found("web@example.com", "word", "h2", "relay", "h2"),
            Found("@example.com", "other", "h2", "default_for", "h2"),
            Found("example.com", "another", PLACE),
            Found("nobody", "word", "h3"),
        ]
    )
    web, domain = logins[Key("example.com", "web")], logins[Key("example.com", "")]
    assert (web.name, web.password, web.where) == ("web@example.com", "word", "h1, h2")
    assert web.uses == [("relay", "h1"), ("relay", "h2")]
    assert (domain.name, domain.password, domain.where) == ("example.com", "", f"h2, {PLACE}")
    assert strange == ["h3: 'nobody' is not the login of an outgoing user"]
    assert "word" not in repr([web, *logins.values(), Found("a@b.test", "word", "h1")])


WEB = Key("example.com", "web")
STORED = {WEB: Credential("web@example.com", "web@example.com", "what the store has")}
HERE = Site(frozenset(["example.com"]), lambda _domain: True, frozenset([WEB]))


def login(*passwords: str) -> Login:
    return Login(WEB, {password: [f"h{number}"] for number, password in enumerate(passwords, 1)})


@pytest.mark.parametrize(
    ("found", "stored", "site", "action", "reason"),
    [
        (login("a password of web"), {}, HERE, None, ""),
        (login("a password of web"), {}, Site(None), None, ""),
        (login("a password of web"), STORED, HERE, None, ""),
        (login("what the store has"), STORED, HERE, "unchanged", ""),
        (login(), STORED, HERE, "unchanged", ""),
        (login(), {}, HERE, "unproven", "no place shows its password"),
        (login("short"), {}, HERE, "refused", "h1: the password is shorter than 12 characters"),
        (login("a password of web", "another one of it"), {}, HERE, "conflict", "in h1, h2: they are not the same"),
        (login("what the store has", "another one"), STORED, HERE, "conflict", "the store has another one than some"),
        (
            login("a password of web"),
            {},
            HERE._replace(users=frozenset()),
            "nobody",
            "h1 has it, and the account has no",
        ),
        (login("a password of web"), {}, HERE._replace(domains=()), "foreign", "the account has no domain example.com"),
    ],
)
def test_what_is_known_before_a_login_is_tried(
    found: Login, stored: dict[Key, Credential], site: Site, action: str | None, reason: str
) -> None:
    verdict = before_trial(found, stored, site)
    assert (verdict and verdict.action) == action
    assert reason in (verdict.reason if verdict else "")


@pytest.mark.parametrize(
    ("accepted", "entry", "action", "reason"),
    [
        (True, None, "created", ""),
        (True, STORED[WEB], "conflict", "h1: it works, but the store has another password"),
        (False, None, "refused", "h1: 535 No"),
        (False, STORED[WEB], "refused", "h1: another place, or the store, has another password"),
        (None, None, "unproven", "535 No"),
    ],
)
def test_what_an_answer_means(accepted: bool | None, entry: Credential | None, action: str, reason: str) -> None:
    proof = {"accepted": accepted, "reason": "535 No"}
    assert after_trial(login("a password of web"), proof, entry) == Verdict(action, reason)


def test_the_store_knows_a_login_under_all_its_names() -> None:
    entry = Credential("web", "old@example.com", "before", next_login="web@example.com", next="after")
    assert by_key({"web": entry}) == {Key("example.com", "old"): entry, WEB: entry}
    assert before_trial(login("after"), by_key({"web": entry}), HERE) == Verdict("unchanged")
    renamed = Credential("web@example.com", "web-b@example.com", "now")
    assert by_key({renamed.name: renamed})[WEB] is renamed
