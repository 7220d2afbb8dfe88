# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user may write, and the sentence for what Postfix could not carry."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._names import InputError
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix.settings import (
    RelaySettings,
    check_config_directory,
    settings_from,
)

USUAL: dict[str, Any] = {
    "smarthost": "4489.smtp.antispamcloud.com",
    "smarthost_port": 587,
    "smarthost_tls": None,
    "system_sender": None,
    "identity": None,
    "smarthost_ca_path": None,
    "smarthost_certificate_names": [],
    "default_login": "web@example.com",
    "default_password": "Correct-Horse-42",
    "logins": [],
    "authentication": "login",
    "only_named_senders": False,
    "senders": [],
    "reveal_password_to_any_server": False,
    "reveal_mail_without_tls": False,
    "dedicated_transport": None,
    "map_type": None,
    "concurrency": 5,
    "rate_delay": None,
    "connection_reuse": None,
}
NO_LOGIN = {"default_login": None, "default_password": None}


def settings(**options: Any) -> RelaySettings:
    return settings_from({**USUAL, **options})


def problem(**options: Any) -> str:
    with pytest.raises(InputError) as caught:
        settings(**options)
    return str(caught.value)


def entry(*senders: str, **others: str) -> dict[str, Any]:
    return {"login": "b@example.org", "password": "Correct-Horse-43", "senders": list(senders), **others}


@pytest.mark.parametrize(
    ("host", "next_hop"),
    [
        ("4489.smtp.antispamcloud.com", "[4489.smtp.antispamcloud.com]:587"),
        ("SMTP.Example.COM", "[smtp.example.com]:587"),
        ("192.0.2.1", "[192.0.2.1]:587"),
        ("2001:db8::1", "[ipv6:2001:db8::1]:587"),
        ("smtp.bücher.example", "[smtp.xn--bcher-kva.example]:587"),
        ("localhost", "[localhost]:587"),
    ],
)
def test_next_hop(host: str, next_hop: str) -> None:
    assert settings(smarthost=host, smarthost_certificate_names=["a.example"]).next_hop == next_hop


@pytest.mark.parametrize(
    "password",
    [
        "a:b:c",
        ":abc",
        "a b  c",
        " abc",
        "\tabc",
        "a\tb",
        "a\\b\\\\c\\n",
        "abc\\",
        "#abc",
        "ab #cd",
        "$abc ${x} $(y) $$",
        "{abc}",
        '"a b"',
        "a'b",
        "%s%u%%",
        "pä$ßwörd€日本",
        "a😀b",
        "ab\u00a0",
        "ab\u3000",
        "a,b",
        "a\rb",
        "a\x0bb\x0cc",
        "a\x01b",
        "a\x7fb",
        "\x1c",
        "*",
        "x" * 3000,
    ],
)
def test_passwords_that_postfix_carries(password: str) -> None:
    login = settings(default_password=password).default_login
    assert login
    assert login.secret == f"web@example.com:{password}"
    assert password not in repr(login)


@pytest.mark.parametrize(
    "password",
    ["", "abc ", "abc\t", "abc\r", "abc\v", "abc\f", "a\nb", "abc\n", "a\0b", "p\udce4ss"],
)
@pytest.mark.parametrize("nested", [False, True])
def test_passwords_that_it_does_not(password: str, nested: bool) -> None:
    options: dict[str, Any] = {"default_password": password}
    if nested:
        options = {"logins": [entry("@example.org", password=password)]}
    with pytest.raises(InputError, match=r"password (is missing|holds|ends|is not valid)") as caught:
        settings(**options)
    if password:
        assert repr(password)[1:-1] not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"smarthost": "192.0.2.1"}, "smarthost_certificate_names"),
        ({"smarthost_certificate_names": ["a b"]}, "smarthost_certificate_names: 'a b' is not a host name"),
        ({"smarthost_certificate_names": [""]}, "smarthost_certificate_names: ''"),
        ({"smarthost_ca_path": "ca.pem"}, "smarthost_ca_path: Postfix needs an absolute path without blanks"),
        ({"smarthost_ca_path": "/etc/my ca.pem"}, "smarthost_ca_path: "),
        ({"smarthost_ca_path": "/etc/$x"}, "smarthost_ca_path: "),
        ({"concurrency": 0}, "concurrency: 0 is not possible; the smarthost allows 1 to 10."),
        ({"concurrency": 11}, "concurrency: 11 "),
        ({"rate_delay": -1}, "rate_delay: -1 is not possible; it must be 0 to 3600 seconds."),
        ({"rate_delay": 3601}, "rate_delay: 3601 "),
        ({"default_login": "a:b"}, "default_login: a login with a colon cannot be used"),
        ({"logins": [entry("@example.org", login="a:b")]}, "logins, entry 1: "),
        ({"default_login": "\udce4"}, "the login is not valid UTF-8"),
        (NO_LOGIN, "default_login is missing: mail from senders without a login of their own"),
        ({**NO_LOGIN, "logins": [entry("@example.org")]}, "default_login"),
        ({"default_login": None}, "default_password: it belongs to default_login, which is missing"),
        ({"default_password": None}, "default_login: the password is missing or empty"),
        ({"authentication": "ip"}, "default_login: with authentication=ip there is none"),
        ({"logins": [entry()]}, "logins, entry 1: 'senders' names nobody"),
        ({"logins": [entry("a@straße.example")]}, "entry 1: write the domain of 'a@straße.example' in its xn-- form"),
        ({"logins": [entry("<>")]}, "bounces ('<>') are never looked up by sender"),
        (
            {"logins": [entry("a@example.org"), entry("A@Example.ORG")]},
            "logins, entry 2: sender 'a@example.org' is already named in logins, entry 1",
        ),
        ({"logins": [entry("example.org", "@example.org")]}, "logins, entry 1: sender '@example.org' "),
        ({"senders": ["@example.org"]}, "only has a meaning with only_named_senders=true"),
        ({"only_named_senders": True}, "no sender is named"),
        ({"only_named_senders": True, **NO_LOGIN, "senders": ["a@example.org"]}, "these have no login"),
        (
            {"only_named_senders": True, "senders": ["@example.org"], "dedicated_transport": False},
            "it cannot be false with only_named_senders",
        ),
        ({"reveal_mail_without_tls": True}, "a password never travels outside TLS"),
        (
            {
                **NO_LOGIN,
                "authentication": "ip",
                "logins": [entry("@example.org")],
                "reveal_mail_without_tls": True,
            },
            "reveal_mail_without_tls: ",
        ),
    ],
)
def test_refused_with_a_sentence(options: dict[str, Any], sentence: str) -> None:
    said = problem(**options)
    assert sentence in said
    assert "Correct-Horse" not in said


@pytest.mark.parametrize(
    "host",
    [
        "",
        "[smtp.example.com]",
        "smtp.example.com:587",
        "smtp.example.com.",
        "a b",
        "$myhostname",
        "a\nb",
        "x" * 64 + ".example",
        "-a.example",
        "straße.example",
    ],
)
def test_a_smarthost_that_is_none(host: str) -> None:
    assert problem(smarthost=host).startswith("smarthost: ")


@pytest.mark.parametrize("port", [0, 65536, -1])
def test_a_port_that_is_none(port: int) -> None:
    assert problem(smarthost_port=port).startswith(f"smarthost_port: {port} ")


@pytest.mark.parametrize("login", ["", " a", "a ", "a\tb", "a\nb", "a\x7fb"])
def test_a_login_that_is_none(login: str) -> None:
    sentence = "a login must not be empty, hold control characters or begin or end with a blank."
    assert problem(default_login=login) == f"default_login: {sentence}"


@pytest.mark.parametrize(
    "sender",
    [
        "@",
        "",
        "a@b@c.example",
        "a b@example.org",
        "#a@example.org",
        "a\n@example.org",
        "a@exa mple.org",
        "a@*.example.org",
        "a@" + "x" * 64 + ".example",
    ],
)
def test_a_sender_that_is_none(sender: str) -> None:
    sentence = f"logins, entry 1: '{sender}' is neither an address nor a domain."
    assert sentence in problem(logins=[entry(sender)])


def test_every_problem_is_named_at_once() -> None:
    said = problem(smarthost="a b", smarthost_port=0, default_password="x ", logins=[entry("@")])
    for place in ("smarthost:", "smarthost_port:", "default_login:", "logins, entry 1:"):
        assert place in said


def test_senders_become_keys() -> None:
    given = settings(logins=[entry("Example.org", "@b.example", "Boss@Example.com", "x@bücher.example")])
    assert given.logins[0].senders == (
        "@example.org",
        "@b.example",
        "boss@example.com",
        "x@xn--bcher-kva.example",
        "x@bücher.example",
    )


def test_levels() -> None:
    assert settings().tls_level == "secure"
    assert settings(reveal_password_to_any_server=True).tls_level == "encrypt"
    by_address = settings(**NO_LOGIN, authentication="ip", reveal_mail_without_tls=True)
    assert by_address.tls_level == "may"


def test_named_senders_get_a_transport_of_their_own() -> None:
    assert settings(only_named_senders=True, senders=["<>", "@example.org"]).dedicated_transport
    assert not settings().dedicated_transport


@pytest.mark.parametrize("path", ["etc/postfix", "/etc/my postfix", "/etc/post,fix", "/etc/a:b", "/etc/$x", "/e\n"])
def test_config_directories_that_postfix_could_not_name(path: str) -> None:
    with pytest.raises(InputError, match="config_directory"):
        check_config_directory(path)


def test_the_port_decides_how_tls_begins() -> None:
    assert not settings().implicit_tls
    assert settings(smarthost_port=465).implicit_tls
    assert settings(smarthost_port=2465, smarthost_tls="implicit").implicit_tls
    assert not settings(smarthost_port=25).implicit_tls
    assert problem(smarthost_port=465, smarthost_tls="starttls").startswith("smarthost_tls: port 465 is for TLS from")


def test_tls_from_the_first_byte_gets_a_transport_of_its_own_unless_told_otherwise() -> None:
    assert settings(smarthost_port=465).dedicated_transport
    assert settings(smarthost_port=465).transport_is_chosen
    assert not settings(smarthost_port=465, dedicated_transport=False).dedicated_transport


def test_without_tls_and_with_tls_from_the_first_byte_is_a_contradiction() -> None:
    options = {"authentication": "ip", **NO_LOGIN}
    assert problem(**options, smarthost_port=465, reveal_mail_without_tls=True).startswith("reveal_mail_without_tls: ")


@pytest.mark.parametrize(
    ("given", "kept"),
    [(None, None), ("false", ""), ("False", ""), ("no", ""), ("Cron@Example.Com", "cron@example.com")],
)
def test_the_sender_of_the_host_itself(given: str | None, kept: str | None) -> None:
    assert settings(default_login="server@example.com", system_sender=given).system_sender == kept


def test_the_sender_of_the_host_itself_is_the_login() -> None:
    for word in ("true", "True", "yes"):
        assert settings(default_login="server@example.com", system_sender=word).system_sender == "server@example.com"
