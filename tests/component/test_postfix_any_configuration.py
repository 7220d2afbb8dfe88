# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever main.cf says: what is not ours keeps its value, and state=absent gives everything back."""

from __future__ import annotations

import json
import os
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support.postfix import ScratchPostfix, make_older
from tests.support.relay import LOGIN, relay, snapshot

pytestmark = [pytest.mark.root, pytest.mark.usefixtures("no_check")]
#: What people set, and what they set it to; `$` stands for values that follow others, ours among them.
VALUES: dict[str, list[str]] = {
    "relayhost": ["", "[old.example]:25", "$mydomain", "[$own]:587"],
    "default_transport": ["smtp", "relay", "$relay_transport"],
    "own": ["x.example", "$smtp_tls_CAfile", "${smtp_tls_security_level}", "$(relayhost)"],
    "smtp_sasl_security_options": ["", "noanonymous", "noanonymous,noplaintext"],
    "smtp_sasl_tls_security_options": ["noanonymous", "$smtp_sasl_security_options", "noplaintext noanonymous"],
    "smtp_sasl_tls_verified_security_options": ["noplaintext, noanonymous", "${smtp_sasl_tls_security_options}"],
    "smtp_sasl_auth_enable": ["yes", "no"],
    "smtp_sasl_password_maps": ["hash:/nowhere/passwords", "texthash:/nowhere/a, $own"],
    "smtp_sasl_mechanism_filter": ["!gssapi, static:rest", "plain"],
    "smtp_sasl_auth_cache_name": ["proxy:btree:/var/lib/cache"],
    "smtp_sasl_auth_soft_bounce": ["no", "yes"],
    "smtp_tls_security_level": ["may", "encrypt", "dane", ""],
    "smtp_tls_CAfile": ["/etc/ssl/cert.pem"],
    "smtp_tls_policy_maps": ["inline:{ { other.example = may } }", "static:secure", "hash:/nowhere/p"],
    "smtp_tls_per_site": ["inline:{ { other.example = MUST } }"],
    "smtp_tls_loglevel": ["0", "2"],
    "smtp_tls_wrappermode": ["yes"],
    "smtp_delivery_status_filter": ["inline:{ { 4.1.1 = 5.1.1 } }", "$default_delivery_status_filter"],
    "smtp_fallback_relay": ["[fallback.example]", "$relayhost"],
    "smtp_destination_concurrency_limit": ["7", "$default_destination_concurrency_limit"],
    "default_destination_concurrency_limit": ["5", "3"],
    "transport_maps": ["inline:{ { no.example = error:no, }, { l.example = lmtp:unix:/l } }", "cdb:/nowhere/t"],
    "sender_dependent_relayhost_maps": ["inline:{ { a@b.example = DUNNO } }"],
    "sender_dependent_default_transport_maps": ["inline:{ { a@b.example = error:$own } }"],
    "smtpd_banner": ["$myhostname ESMTP", "$relayhost"],
    "smtpd_relay_restrictions": ["permit_mynetworks, reject_unauth_destination"],
    "address_verify_relayhost": ["$own"],
    "tlsproxy_client_security_level": ["$smtp_tls_security_level"],
}
#: Parameters of Postfix whose defaults follow one of ours, or one that main.cf may let follow; no other may change.
FOLLOWERS = {
    "address_verify_default_transport": "default_transport",
    "address_verify_relayhost": "relayhost",
    "address_verify_sender_dependent_default_transport_maps": "sender_dependent_default_transport_maps",
    "postscreen_greet_banner": "smtpd_banner",
    "smtp_tls_dane_insecure_mx_policy": "smtp_tls_security_level",
    "tlsproxy_client_CAfile": "smtp_tls_CAfile",
    "tlsproxy_client_loglevel": "smtp_tls_loglevel",
    "tlsproxy_client_security_level": "smtp_tls_security_level",
}
#: Lists of all tables, whoever names them.
OF_TABLES = {"proxy_read_maps", "proxy_write_maps"}
OF_POSTCONF_ITSELF = {"process_id", "process_name"}
OPTIONS: list[dict[str, Any]] = [
    {},
    {"dedicated_transport": True},
    {"authentication": "ip", "default_login": None, "default_password": None},
    {"only_named_senders": True, "senders": ["@example.com"], "rate_delay": 1},
    {"reveal_password_to_any_server": True, "connection_reuse": True},
]
SPELLINGS = [
    "{} = {}\n",
    "{}={}\n",
    "{}\t=\t{}\n",
    "{} =\n    {}\n",
    "# a comment\n{} =\n# inside\n\t{}\n",
    "\n{}  =  {}  \n",
]


@st.composite
def lines_of_main(draw: st.DrawFn) -> str:
    """Lines of a main.cf, with duplicates, in all spellings, with or without a newline at the end."""
    names = draw(st.lists(st.sampled_from(sorted(VALUES)), max_size=10))
    lines = [draw(st.sampled_from(SPELLINGS)).format(name, draw(st.sampled_from(VALUES[name]))) for name in names]
    text = "".join(lines)
    return text if draw(st.booleans()) else text.rstrip("\n")


def everything(postfix: ScratchPostfix) -> dict[str, str]:
    """The effective value of every parameter."""
    lines = (line.partition("=") for line in postfix.run("postconf", "-x").splitlines())
    values = {name.strip(): value.strip() for name, _equals, value in lines}
    return {name: value for name, value in values.items() if name not in OF_POSTCONF_ITSELF}


def following(explicit: dict[str, str], ours: set[str]) -> set[str]:
    """The parameters that follow ours, by their defaults or because main.cf says so, directly or not."""
    found = set(ours)
    while True:
        named = {name for name, value in explicit.items() if found & set(re.findall(r"\$[({]?(\w+)", value))}
        named |= {name for name, followed in FOLLOWERS.items() if followed in found and name not in explicit}
        if named <= found:
            return found - ours
        found |= named


@settings(
    max_examples=12,
    deadline=None,
    derandomize=os.environ.get("EXAMPLES", "same") != "new",  # as tests/unit/conftest.py
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # several runs each: smaller ones take minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(lines=lines_of_main(), options=st.sampled_from(OPTIONS))
def test_what_is_not_ours_keeps_its_value(no_check: None, lines: str, options: dict[str, Any]) -> None:
    postfix = ScratchPostfix()
    try:
        main = postfix.config_directory / "main.cf"
        with main.open("a", encoding="utf-8") as stream:
            stream.write(lines)
        make_older(main)
        before, explicit, files = everything(postfix), postfix.parameters(), snapshot(postfix.config_directory)
        run = relay(postfix, smarthost="smarthost.example", **{**LOGIN, **options})
        if run.failed:
            assert snapshot(postfix.config_directory) == files
            assert "has changed" not in run.message
            assert "was written" not in run.message
            return
        remembered = json.loads((postfix.config_directory / "smarthost_originals.json").read_text(encoding="utf-8"))
        ours = set(remembered["parameters"])
        now = everything(postfix)
        changed = {name for name in before.keys() & now.keys() if before[name] != now[name]}
        assert changed - OF_TABLES <= ours | following(explicit, ours)
        assert not relay(postfix, smarthost="smarthost.example", **{**LOGIN, **options}).changed
        assert not relay(postfix, state="absent").failed
        assert everything(postfix) == before
        assert postfix.parameters() == explicit
        assert snapshot(postfix.config_directory).keys() == files.keys()
    finally:
        postfix.close()
