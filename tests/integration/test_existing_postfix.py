# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configurations as people have them: each works and is given back, or is left alone with a sentence on how to go on.

A row is data. What is done with it, and what must hold for all, is `Existing.exercise`.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.smarthost.spamexperts.plugins.module_utils._postfix.commands import Instance

from tests.support.emulator import Emulator
from tests.support.existing_postfix import OTHER, OURS, SINK, Existing, Row, Way, servers
from tests.support.postfix import ScratchPostfix, make_older
from tests.support.relay import snapshot

pytestmark = pytest.mark.root
RELAYHOST = "relayhost = {SINK}\n"
TWO_DOMAINS: dict[str, Any] = {
    "logins": [
        {"login": f"server@{domain}", "password": "Correct-Horse-43", "senders": [f"@{domain}"]}
        for domain in ("example.net", "example.org")
    ]
}


PASSWORD_MAPS = "smtp_sasl_auth_enable = yes\nsmtp_sasl_security_options = noanonymous\nsmtp_sasl_password_maps = "
IN_MAIN = ("smtp_sasl_password_maps",)


def to_internal(before: str, after: str | None = None) -> Way:
    """A mail to a domain with a way of its own."""
    return Way(before, after, recipient="someone@internal.example")


def keep_main_elsewhere(postfix: ScratchPostfix) -> None:
    """main.cf lies in another folder, and a link leads there."""
    main, elsewhere = postfix.config_directory / "main.cf", postfix.home / "elsewhere.cf"
    main.rename(elsewhere)
    main.symlink_to(elsewhere)


def write_main(change: Callable[[bytes], bytes] = bytes, mode: int = 0o644) -> Callable[[ScratchPostfix], None]:
    """Something that gives main.cf other bytes, or another mode and the group of Postfix."""

    def prepare(postfix: ScratchPostfix) -> None:
        main = postfix.config_directory / "main.cf"
        main.write_bytes(change(main.read_bytes()))
        shutil.chown(main, "root", "postfix")
        main.chmod(mode)
        make_older(main)

    return prepare


SCANNER: dict[str, Any] = {"main": RELAYHOST.replace("SINK", "OTHER") + "content_filter = scan:{SINK}\n"}
SCANNER["services"] = """\
scan unix - - n - 2 smtp
127.0.0.1:{BACK} inet n - n - - smtpd -o content_filter=
"""
OWN: dict[str, Any] = {"dedicated_transport": True}
BOSS_ELSEWHERE = RELAYHOST + "sender_dependent_relayhost_maps = inline:{ { boss@mail.example = {OTHER} } }\n"
BOSS = (Way(SINK, OURS), Way(OTHER, sender="boss@mail.example"))
INSIDE = (Way(OTHER, OURS), to_internal(SINK))


def internal(target: str) -> str:
    """A domain with a way of its own, in main.cf."""
    return f"relayhost = {{OTHER}}\ntransport_maps = inline:{{ {{ internal.example = {target} }} }}\n"


def may(server: str) -> str:
    """A policy for one server, in main.cf."""
    return f"smtp_tls_policy_maps = inline:{{ {{ {{{server}}} = may }} }}\n"


ALL = RELAYHOST + "transport_maps = inline:{ { * = smtp:{OTHER} } }\n"
GONE = RELAYHOST + "smtp_tls_cert_file = {folder}/gone.pem\nsmtp_tls_key_file = $smtp_tls_cert_file\n"
ROWS = [
    Row("a usual one"),
    Row(
        "1 a recipe for another smarthost",
        "relayhost = {OTHER}\nsmtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = texthash:{folder}/sasl_passwd\n"
        "smtp_sasl_security_options = noanonymous\n",
        tables={"sasl_passwd": "{OTHER} me:Secret-Word-1\n"},
        ways=(Way(OTHER, OURS),),
    ),
    Row("2 a part of such a recipe", RELAYHOST + "smtp_sasl_security_options = noanonymous\n"),
    Row(
        "3 no password even for a verified server",
        RELAYHOST + "smtp_sasl_tls_verified_security_options = noplaintext, noanonymous\n",
    ),
    Row(
        "4 no newline at the end, restrictions",
        RELAYHOST + "smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination",
    ),
    Row("5 no newline at the end, banner", RELAYHOST + "smtpd_banner = $myhostname ESMTP"),
    Row(
        "6 no newline at the end of master.cf",
        services="local unix - n n - - local",
        options={"dedicated_transport": True},
    ),
    Row("7 a relay by sender", BOSS_ELSEWHERE, ways=BOSS, refused=("'boss@mail.example [", "smtp_tls_policy_maps")),
    Row(
        "7 a relay by sender, own transport",
        BOSS_ELSEWHERE,
        options=OWN,
        ways=BOSS,
        refused=("mail of boss@mail.example", "sender_dependent_default_transport_maps"),
    ),
    Row("7 a relay by sender, as the refusal says", BOSS_ELSEWHERE + may("OTHER"), ways=BOSS),
    Row(
        "7 a relay by sender, own transport, as the refusal says",
        BOSS_ELSEWHERE + "sender_dependent_default_transport_maps = inline:{ { boss@mail.example = smtp:{OTHER} } }\n",
        options=OWN,
        ways=BOSS,
    ),
    Row("8 a server of a domain", internal(":{SINK}"), ways=INSIDE, refused=("'internal.example [", "may', or")),
    Row(
        "8 a server of a domain, own transport",
        internal(":{SINK}"),
        options=OWN,
        ways=INSIDE,
        refused=("entries for internal.example", "Write 'internal.example smtp:["),
    ),
    Row("8 a server of a domain, as the refusal says", internal(":{SINK}") + may("SINK"), ways=INSIDE),
    Row("9 a server by smtp", internal("smtp:{SINK}"), ways=INSIDE, refused=("smtp:[", "may', or set dedicated")),
    Row("9 a server by smtp, own transport", internal("smtp:{SINK}"), options=OWN, ways=INSIDE),
    Row("9 a server by smtp, as the refusal says", internal("smtp:{SINK}") + may("SINK"), ways=INSIDE),
    Row("10 all mail elsewhere", ALL, ways=(Way(OTHER),), refused=("transport_maps: '* smtp:[",)),
    Row("10 all mail elsewhere, own transport", ALL, options=OWN, ways=(Way(OTHER),), warned=("all other mail else",)),
    Row("10 all mail elsewhere, with a policy", ALL + may("OTHER"), ways=(Way(OTHER),), warned=("other mail else",)),
    Row(
        "11 an address to send from",
        services="smtp unix - - n - - smtp -o smtp_helo_name=mail.example.com -o smtp_bind_address=127.0.0.2\n",
        options=OWN,
    ),
    Row("12 a policy in main.cf", RELAYHOST + may("OURS"), refused=("smtp_tls_policy_maps", "dedicated_tr")),
    Row(
        "12 a policy in a table",
        RELAYHOST + "smtp_tls_policy_maps = texthash:{folder}/policy\n",
        tables={"policy": "{OURS} may\n"},
        refused=("smtp_tls_policy_maps", "dedicated_transport=true"),
    ),
    Row("12 a policy, own transport", RELAYHOST + may("OURS"), options=OWN),
    Row(
        "13 policies for others",
        RELAYHOST + "smtp_tls_policy_maps = texthash:{folder}/policy\n",
        tables={"policy": "internal.example dane\n{OTHER} encrypt\n"},
    ),
    Row("14 a filter in main.cf", RELAYHOST + "smtp_delivery_status_filter = inline:{ { 4.1.1 = 5.1.1 } }\n"),
    Row("15 main.cf is a link", prepare=keep_main_elsewhere, refused=("main.cf", "/elsewhere.cf")),
    Row(
        "16 duplicates and other spellings",
        "relayhost = {OTHER}\nrelayhost={SINK}\nsmtp_tls_security_level\t=\tencrypt\nsmtp_tls_security_level=may\n"
        "smtpd_banner = $myhostname\n# a comment inside\n\tESMTP\n",
        warned=("main.cf says again what it said, but is not the same byte for byte",),
        exact=False,
    ),
    Row(
        "17 refusals are remembered",
        RELAYHOST + "smtp_sasl_auth_cache_name = proxy:btree:${data_directory}/sasl_cache\n"
        "smtp_sasl_auth_cache_time = 90d\n",
    ),
    Row("19 a content filter", **SCANNER, refused=("scan/unix", "dedicated_transport=true"), ways=(Way(SINK),)),
    Row(
        "19 a content filter, own transport",
        **SCANNER,
        options={"dedicated_transport": True},
        ways=(Way(SINK), Way(OTHER, OURS, filtered=True)),
    ),
    Row(
        "20 wrapped TLS",
        "relayhost = {OTHER}\nsmtp_tls_wrappermode = yes\nsmtp_tls_security_level = encrypt\n",
        ways=(Way(OTHER, OURS),),
    ),
    Row("21 a fallback", "relayhost = [127.0.0.1]:9\nsmtp_fallback_relay = {SINK}\n"),
    Row("23 CRLF", prepare=write_main(lambda content: content.replace(b"\n", b"\r\n")), exact=False),
    Row("23 mode 0640", prepare=write_main(mode=0o640)),
    Row("23 mode 0444", prepare=write_main(mode=0o444)),
    Row("24 a filter of mechanisms", RELAYHOST + "smtp_sasl_mechanism_filter = !plain, !login, static:rest\n"),
    Row(
        "25 only named senders",
        options={"only_named_senders": True, "senders": ["@example.com"]},
        ways=(Way(SINK, OURS), Way(SINK, sender="bob@other.example")),
    ),
    Row(
        "26 a filter of replies",
        RELAYHOST + "default_delivery_status_filter = regexp:{folder}/own\n",
        tables={"own": "/mailbox full/ 4.2.2 later\n"},
    ),
    Row("27 static password", RELAYHOST + PASSWORD_MAPS + "static:me:Secret-Word-1\n", refused=IN_MAIN),
    Row("27 inline password", RELAYHOST + PASSWORD_MAPS + "inline:{ {x=me:Secret-Word-1} }\n", refused=IN_MAIN),
    Row(
        "28 a login for each of two domains, on the host of 7",
        RELAYHOST + "sender_dependent_relayhost_maps = inline:{ { boss@mail.example = {OTHER} } }\n",
        options=TWO_DOMAINS,
        ways=(Way(SINK), Way(OTHER, sender="boss@mail.example")),
        refused=("sender_dependent_relayhost_maps", "dedicated_transport=true"),
    ),
    Row(
        "28 a login for each of two domains, on the host of 8",
        "relayhost = {OTHER}\ntransport_maps = inline:{ { internal.example = :{SINK} } }\n",
        options=TWO_DOMAINS,
        ways=(Way(OTHER), to_internal(SINK)),
        refused=("transport_maps", "dedicated_transport=true"),
    ),
    Row(
        "28 a login for each of two domains, on the host of 9",
        "relayhost = {OTHER}\ntransport_maps = inline:{ { internal.example = smtp:{SINK} } }\n",
        options=TWO_DOMAINS,
        ways=(Way(OTHER), to_internal(SINK)),
        refused=("transport_maps", "dedicated_transport=true"),
    ),
    Row(
        "28 a login for each of two domains, on the host of 19",
        **SCANNER,
        options=TWO_DOMAINS,
        ways=(Way(SINK),),
        refused=("scan/unix", "dedicated_transport=true"),
    ),
    Row("30 no EHLO", RELAYHOST + "smtp_never_send_ehlo = yes\n"),
    Row("30 EHLO only where it is announced", RELAYHOST + "smtp_always_send_ehlo = no\n"),
    Row("31 STARTTLS is not heard", RELAYHOST + "smtp_discard_ehlo_keywords = chunking, StartTLS silent-discard\n"),
    Row("31 AUTH is not heard", RELAYHOST + "mine = auth\nsmtp_discard_ehlo_keywords = ${mine}\n"),
    Row("31 STARTTLS is not heard, own transport", RELAYHOST + "smtp_discard_ehlo_keywords = starttls\n", options=OWN),
    Row(
        "32 STARTTLS is not heard of our server",
        RELAYHOST + "smtp_discard_ehlo_keyword_address_maps = inline:{ { 127.0.0.1 = starttls } }\n",
        refused=(
            "smtp_discard_ehlo_keyword_address_maps",
            "discards 'starttls' of 127.0.0.1",
            "dedicated_transport=true",
        ),
    ),
    Row(
        "32 STARTTLS is not heard of our server, own transport",
        RELAYHOST + "smtp_discard_ehlo_keyword_address_maps = inline:{ { 127.0.0.1 = starttls } }\n",
        options=OWN,
    ),
    Row(
        "32 STARTTLS is not heard of another server",
        RELAYHOST + "smtp_discard_ehlo_keyword_address_maps = inline:{ { 192.0.2.1 = starttls } }\n",
    ),
    Row(
        "33 replies are written anew",
        RELAYHOST + "smtp_reply_filter = regexp:{folder}/replies\n",
        tables={"replies": "/^250.STARTTLS/ 250-X\n"},
        refused=("smtp_reply_filter", "STARTTLS"),
    ),
    Row(
        "33 other replies are written anew",
        RELAYHOST + "smtp_reply_filter = regexp:{folder}/replies\n",
        tables={"replies": "/^250-CHUNKING/ 250-X\n"},
    ),
    Row("34 an old TLS", RELAYHOST + "smtp_tls_mandatory_protocols = TLSv1\n"),
    Row("34 not the new TLS", RELAYHOST + "smtp_tls_mandatory_protocols = !SSLv2, !TLSv1.2, !TLSv1.3\n"),
    Row("34 the newest TLS", RELAYHOST + "smtp_tls_mandatory_protocols = TLSv1.3\n"),
    Row("35 the client's certificate is gone", GONE, refused=("gone.pem is not there", "take smtp_tls_cert_file out")),
]


@pytest.fixture(autouse=True)
def _check_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """`postfix check` takes long, and other tests run it."""
    monkeypatch.setattr(Instance, "check", lambda _: None)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row.name))
def test_existing(row: Row, vendor: Emulator, warnings: list[str]) -> None:
    with servers(vendor, wrapped="wrappermode" in row.main) as them, Existing(row, them) as existing:
        existing.exercise(warnings)


def test_22_the_second_of_two_instances(vendor: Emulator, warnings: list[str]) -> None:
    """The first is not touched, and goes on."""
    row = Row("22", RELAYHOST + "multi_instance_enable = yes\nmulti_instance_name = postfix-out\n")
    with servers(vendor) as them, Existing(row, them) as second, ScratchPostfix() as first:
        first.set(
            relayhost=f"[127.0.0.1]:{them.sink.port}",
            multi_instance_enable="yes",
            multi_instance_directories=str(second.postfix.config_directory),
        )
        before = snapshot(first.config_directory)
        second.exercise(warnings)
        assert snapshot(first.config_directory) == before
        first.inject("alice@example.com", "someone@elsewhere.example", "first")
        first.wait_until_empty()
        assert them.having("first") == [SINK]


def test_23_a_file_that_nobody_can_change(vendor: Emulator) -> None:
    row = Row("23 chattr +i")
    with servers(vendor) as them, Existing(row, them) as existing:
        main = existing.postfix.config_directory / "main.cf"
        before, meaning = existing.files(), existing.meaning()
        if subprocess.run(["chattr", "+i", str(main)], check=False, capture_output=True).returncode:
            pytest.skip("this file system has no attributes")
        try:
            run = existing.configure()
        finally:
            subprocess.run(["chattr", "-i", str(main)], check=True)
        assert "Operation not permitted" in run.message
        assert run.code == "command_failed"
        assert (existing.files(), existing.meaning()) == (before, meaning)
        existing.goes_as("after")


def test_18_forty_mails_at_once_for_a_domain_that_is_relayed(vendor: Emulator, warnings: list[str]) -> None:
    """They take the transport `relay`, which had a limit of its own; the vendor refuses the eleventh connection."""
    row = Row("18", RELAYHOST + "relay_domains = r.example\nin_flow_delay = 0\n")
    with servers(vendor) as them, Existing(row, them) as existing:
        existing.exercise(warnings)
        assert existing.configure().changed
        vendor.faults({"match": "smtp:data", "kind": "latency", "seconds": 0.3, "times": None})
        # Stopped for each change, as a queue manager that has not heard of it yet sends by the old one.
        existing.postfix.stop()
        existing.postfix.set(defer_transports="smtp relay")
        existing.postfix.start()
        for number in range(40):
            domain = "r.example" if number % 4 else "elsewhere.example"
            existing.postfix.inject("alice@example.com", f"someone@{domain}", f"mail {number}")
        existing.postfix.wait_until_quiet()
        existing.postfix.stop()
        existing.postfix.log_file.write_text("", encoding="utf-8")
        existing.postfix.run("postconf", "-X", "defer_transports")
        existing.postfix.start()
        existing.postfix.flush()
        existing.postfix.wait_until_empty(60)
        # Refused with 421, a mail would have been deferred first.
        assert existing.postfix.statuses() == ["sent"] * 40, existing.postfix.log()
