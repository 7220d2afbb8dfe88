# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mail that goes elsewhere goes on doing so, or the module says in a sentence what to change, and changes nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.postfix import ScratchPostfix
from tests.support.relay import OWN, assert_refused, configure

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("no_check")]
BOSS = {"login": "boss@example.com", "password": "Correct-Horse-43", "senders": ["boss@example.com"]}


def table(postfix: ScratchPostfix, kind: str, name: str, *lines: str) -> str:
    """A table of this type; several lines of regexp, or what other types have as `key value`."""
    if kind == "inline":
        return f"inline:{{ {', '.join('{ ' + line.replace(' ', ' = ', 1) + ' }' for line in lines)} }}"
    path = postfix.config_directory / name
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    if kind not in ("texthash", "regexp"):
        postfix.run("postmap", f"{kind}:{path}")
    return f"{kind}:{path}"


@pytest.mark.parametrize("kind", ["inline", "texthash", "hash", "lmdb", "cdb", "proxy"])
def test_mail_to_another_server_is_not_bound(postfix: ScratchPostfix, kind: str) -> None:
    """Its server may have no TLS, or another certificate: its mail would wait after a run that reports success."""
    transports = table(postfix, "hash" if kind == "proxy" else kind, "transport", "inside.example smtp:[10.0.0.1]")
    postfix.set(transport_maps=f"proxy:{transports}" if kind == "proxy" else transports)
    assert_refused(
        postfix,
        "transport_maps: 'inside.example smtp:[10.0.0.1]' would be bound by the TLS rules for the smarthost",
        "'[10.0.0.1] may', or set dedicated_transport=true",
    )
    assert configure(postfix, **OWN).changed


def test_a_policy_of_its_own_is_enough(postfix: ScratchPostfix, warnings: list[str]) -> None:
    postfix.set(
        transport_maps=table(
            postfix,
            "inline",
            "",
            "inside.example smtp:[10.0.0.1]",
            "direct.example smtp:",
            ".below.example :[10.0.0.1]",
            "no.example error:5.1.2 no",
            "list.example lmtp:unix:/run/list",
            "ours.example smtp:[smarthost.example]:587",
        ),
        sender_dependent_relayhost_maps=table(postfix, "inline", "", "a@example.com [10.0.0.2]", "b@example.com DUNNO"),
        smtp_tls_policy_maps=table(postfix, "inline", "", "[10.0.0.1] may", "[10.0.0.2] none"),
    )
    assert_refused(postfix, "transport_maps: 'direct.example smtp:'", "'direct.example may'")
    postfix.set(smtp_tls_policy_maps=table(postfix, "inline", "", "[10.0.0.1] may", "[10.0.0.2] none", ".example may"))
    assert_refused(postfix, "smtp_tls_policy_maps", "'.example'")
    direct = "direct.example may"
    postfix.set(smtp_tls_policy_maps=table(postfix, "inline", "", "[10.0.0.1] may", "[10.0.0.2] none", direct))
    assert configure(postfix).changed
    assert not any("bind that mail" in text for text in warnings)


def test_other_programs_are_not_bound(postfix: ScratchPostfix, warnings: list[str]) -> None:
    """So nobody is sent to a transport of its own for a table that leads to no other server."""
    postfix.set(
        transport_maps=table(postfix, "hash", "transport", "list.example lmtp:unix:/run/list", "no.example error:no"),
        virtual_transport="lmtp:unix:/run/dovecot",
    )
    assert configure(postfix, logins=[BOSS]).changed
    assert warnings == []


def test_a_client_with_a_level_of_its_own_is_not_bound(postfix: ScratchPostfix) -> None:
    postfix.set(transport_maps=table(postfix, "inline", "", "inside.example relay:[10.0.0.1]"))
    assert_refused(postfix, "'inside.example relay:[10.0.0.1]'")
    postfix.run("postconf", "-P", "relay/unix/smtp_tls_security_level=may")
    assert configure(postfix).changed


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("virtual_transport", "smtp:[10.0.0.3]"),
        ("sender_dependent_relayhost_maps", "inline:{ { a@example.com = [10.0.0.3] } }"),
        ("sender_dependent_default_transport_maps", "inline:{ { a@example.com = smtp:[10.0.0.3] } }"),
        ("transport_maps", "inline:{ { * = smtp:[10.0.0.3] } }"),
    ],
)
def test_every_way_is_looked_at(postfix: ScratchPostfix, name: str, value: str) -> None:
    postfix.set(**{name: value})
    assert_refused(postfix, f"{name}: ", "[10.0.0.3]")


def test_a_table_that_cannot_be_listed(postfix: ScratchPostfix, warnings: list[str]) -> None:
    transports = table(postfix, "regexp", "transport", "/^inside/ smtp:[10.0.0.1]")
    postfix.set(transport_maps=transports)
    assert configure(postfix).changed
    assert f"also sends by transport_maps ({transports}), which cannot be listed" in " ".join(warnings)
    assert_refused(postfix, "transport_maps", logins=[BOSS])


def test_logins_of_others(postfix: ScratchPostfix, warnings: list[str]) -> None:
    postfix.set(transport_maps=table(postfix, "texthash", "transport", "inside.example smtp:[10.0.0.1]"))
    assert_refused(postfix, "login that is chosen by sender would be offered to those servers", logins=[BOSS])
    postfix.set(smtp_sasl_password_maps=table(postfix, "texthash", "passwords", "[10.0.0.1] in:side"))
    assert_refused(postfix, "has logins of its own in smtp_sasl_password_maps")
    assert configure(postfix, logins=[BOSS], **OWN).changed
    assert warnings == []
    assert postfix.parameters()["smtp_sasl_password_maps"].endswith("/passwords")


@pytest.mark.parametrize("kind", ["inline", "hash", "cdb"])
def test_senders_of_another_relay_are_not_taken(postfix: ScratchPostfix, kind: str) -> None:
    relays = table(postfix, kind, "relays", "boss@mail.example [other.example]:587")
    postfix.set(sender_dependent_relayhost_maps=relays)
    ours = "Write 'boss@mail.example smtp:[other.example]:587' into a table of sender_dependent_default_transport_maps"
    assert_refused(postfix, "would take the mail of boss@mail.example to the smarthost", ours, **OWN)
    # What a shared relay recommends says so, too.
    assert_refused(postfix, "set dedicated_transport=true", "needs a change first", ours, logins=[BOSS])
    postfix.set(
        sender_dependent_default_transport_maps=table(postfix, kind, "s", "boss@mail.example smtp:[other.example]:587")
    )
    assert configure(postfix, logins=[BOSS], **OWN).changed


def test_named_senders_are_meant(postfix: ScratchPostfix) -> None:
    lines = [f"{name}@mail.example [other.example]" for name in ("boss", "a", "b", "c", "d", "e", "f")]
    postfix.set(sender_dependent_relayhost_maps=table(postfix, "inline", "", *lines))
    assert configure(postfix, only_named_senders=True, senders=["boss@mail.example", "@example.com"]).changed
    senders = ["boss@mail.example", "@mail.example"]
    message = "mail of a@mail.example, b@mail.example, c@mail.example, d@mail.example, e@mail.example and 1 more to"
    assert_refused(postfix, message, only_named_senders=True, senders=senders)


def test_domains_with_a_server_of_their_own_are_not_taken(postfix: ScratchPostfix) -> None:
    """Without a name such an entry keeps the transport of the mail, which would be ours."""
    postfix.set(
        transport_maps=table(postfix, "inline", "", "internal.example :[10.0.0.1]", "x.example smtp:[10.0.0.2]")
    )
    sentence = "Write 'internal.example smtp:[10.0.0.1]' instead of 'internal.example :[10.0.0.1]'"
    assert_refused(postfix, "the entries for internal.example name no transport", sentence, **OWN)
    assert_refused(postfix, sentence, only_named_senders=True, senders=["@example.com"])
    assert_refused(postfix, "set dedicated_transport=true", sentence)


def test_what_to_look_for_where_nothing_can_be_listed(postfix: ScratchPostfix, warnings: list[str]) -> None:
    postfix.set(
        transport_maps=table(postfix, "regexp", "transport", "/^inside/ smtp:[10.0.0.1]"),
        sender_dependent_relayhost_maps=table(postfix, "regexp", "relays", "/^boss@/ [other.example]"),
    )
    assert configure(postfix, **OWN).changed
    text = " ".join(warnings)
    assert "/transport) cannot be listed. Look whether it has a result such as ':[host]'" in text
    assert "/relays) cannot be listed. Look whether it names a sender" in text


def test_all_other_mail_that_goes_elsewhere_is_named(postfix: ScratchPostfix, warnings: list[str]) -> None:
    postfix.set(
        transport_maps=table(postfix, "inline", "", "* smtp:[10.0.0.1]"),
        smtp_tls_policy_maps=table(postfix, "inline", "", "[10.0.0.1] may"),
        relay_domains="backup.example",
    )
    for options in ({}, OWN):
        warnings.clear()
        assert configure(postfix, **options).changed
        assert "transport_maps sends all other mail elsewhere ('*' in inline:{" in " ".join(warnings)
    assert "relays for other domains" not in " ".join(warnings)


def test_what_the_administrator_says_of_smtp_counts_for_our_transport(postfix: ScratchPostfix) -> None:
    own = {"smtp_helo_name": "mail.example.com", "smtp_bind_address": "127.0.0.2", "smtp_tls_security_level": "none"}
    for name, value in own.items():
        postfix.run("postconf", "-P", f"smtp/unix/{name}={value}")
    configure(postfix, **OWN)
    ours = postfix.run("postconf", "-P", "smarthost/unix/smtp_helo_name", "smarthost/unix/smtp_bind_address")
    assert ours == ("smarthost/unix/smtp_helo_name = mail.example.com\nsmarthost/unix/smtp_bind_address = 127.0.0.2\n")
    assert postfix.run("postconf", "-P", "smarthost/unix/smtp_tls_security_level").endswith("= secure\n")
    postfix.run("postconf", "-P", "smtp/unix/smtp_helo_name=new.example.com")
    assert configure(postfix, **OWN).result["changes"] == ["smarthost/unix"]
    assert not configure(postfix, **OWN).changed


def test_a_password_in_master_cf_is_not_copied(postfix: ScratchPostfix) -> None:
    postfix.run("postconf", "-P", "smtp/unix/smtp_sasl_password_maps=static:old:Secret-Word-1")
    options: dict[str, Any] = {"authentication": "ip", "default_login": None, "default_password": None, **OWN}
    assert configure(postfix, **options).changed
    assert postfix.run("postconf", "-M").count("Secret-Word-1") == 1
    assert "Secret-Word-1" not in (postfix.config_directory / "smarthost_originals.json").read_text(encoding="utf-8")


def test_where_nobody_has_chosen_the_smarthost_is_kept_apart(postfix: ScratchPostfix, warnings: list[str]) -> None:
    postfix.set(transport_maps=table(postfix, "hash", "transport", "inside.example smtp:[10.0.0.1]"))
    chosen: dict[str, Any] = {"dedicated_transport": None, "logins": [BOSS]}
    assert configure(postfix, **chosen).changed
    assert postfix.run("postconf", "-M", "smarthost/unix").startswith("smarthost")
    assert any("has a transport of its own" in text for text in warnings)
    assert not configure(postfix, **chosen).changed
    # A host that has one keeps it: nobody's mail changes its way because a table was emptied.
    postfix.set(transport_maps="")
    assert not configure(postfix, **chosen).changed


def test_where_keeping_apart_needs_a_change_first_it_is_said(postfix: ScratchPostfix) -> None:
    postfix.set(transport_maps=table(postfix, "hash", "transport", "inside.example :[10.0.0.1]"))
    assert_refused(postfix, "Write 'inside.example smtp:[10.0.0.1]' instead", dedicated_transport=None)
