# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which parameters the wanted relay needs in main.cf or in its own transport, and which values count as equal."""

from __future__ import annotations

from collections.abc import Mapping

from .hearing import KEYWORDS, PROTOCOLS, has_tls_of_today, is_heard
from .originals import Service
from .settings import RelaySettings

# By the way in which TLS begins, so that mail never finds the way of the one at the port of the other.
STARTTLS_TRANSPORT, IMPLICIT_TRANSPORT = OUR_TRANSPORTS = ("smarthost", "smarthost_tls")
OUR_SERVICES = tuple(f"{name}/unix" for name in OUR_TRANSPORTS)
# The service that keeps TLS connections open for reuse. A transport of its own needs one of its own as well, because
# that service takes the authorities and the TLS level from its own configuration.
SHARED_TLSPROXY = "tlsproxy"
OWN_TLSPROXY = f"{STARTTLS_TRANSPORT}-tlsproxy"
PASSWORDS_FILE = "smarthost_passwords"
SENDERS_FILE = "smarthost_senders"
SYSTEM_FILE = "smarthost_system_senders"
#: Rewrites the addresses of what one SMTP client sends, in envelope and header.
GENERIC = "smtp_generic_maps"
# These decide which mail takes the way to the smarthost. They change last when the way is made, first when it ends.
ROUTES = ("default_transport", "relayhost", "sender_dependent_default_transport_maps")
_PLAIN_TEXT = "noanonymous"
_NO_PLAIN_TEXT = "noplaintext, noanonymous"
# Other values that serve as well, so they are left as the administrator wrote them.
_ALSO_RIGHT: Mapping[str, tuple[str, ...]] = {
    "smtp_sasl_mechanism_filter": ("login plain", "plain", "login"),
    "smtp_sasl_security_options": ("noanonymous noplaintext",),
    "smtp_tls_loglevel": ("2", "3"),
}


def transport(settings: RelaySettings) -> str:
    """The name of the transport of its own."""
    return IMPLICIT_TRANSPORT if settings.implicit_tls else STARTTLS_TRANSPORT


def only_verified_servers(settings: RelaySettings) -> bool:
    """Whether a password is given only to a server whose certificate was matched, whatever lowers the TLS level."""
    return settings.tls_level == "secure"


def binding_rules(settings: RelaySettings) -> list[str]:
    """The rules that other mail of the same client would notice, unless the client says otherwise of them."""
    found = ["smtp_tls_security_level"]
    found += ["smtp_tls_wrappermode"] if settings.implicit_tls else []
    return found + ([GENERIC] if settings.system_sender else [])


def client_rules(settings: RelaySettings, ca_path: str, passwords: str, status_filter: str) -> dict[str, str]:
    """How the SMTP client must speak to the smarthost: parameters of smtp(8).

    `passwords` is the map with the logins; with no login at all AUTH is off and the map is not named.
    """
    rules = {
        "smtp_tls_security_level": settings.tls_level,
        "smtp_tls_CAfile": ca_path,
        "smtp_tls_secure_cert_match": ", ".join(settings.certificate_names) or "nexthop, dot-nexthop",
        # Anchors would be trusted instead of the authorities.
        "smtp_tls_trust_anchor_file": "",
        "smtp_tls_wrappermode": "yes" if settings.implicit_tls else "no",
        "smtp_tls_loglevel": "1",
        "smtp_delivery_status_filter": status_filter,
        # Mail that the smarthost does not take waits; it must not leave by another host with these logins.
        "smtp_fallback_relay": "",
    }
    if settings.tls_level != "may":
        # Postfix 3.10 and later: the header "TLS-Required: no" lets any mail lower the level to `may`.
        rules["tls_required_enable"] = "no"
    if settings.default_login or settings.logins:
        rules |= {
            "smtp_sasl_auth_enable": "yes",
            "smtp_sasl_password_maps": passwords,
            "smtp_sasl_type": "cyrus",
            "smtp_sasl_security_options": _NO_PLAIN_TEXT,  # outside TLS
            "smtp_sasl_tls_security_options": _NO_PLAIN_TEXT if only_verified_servers(settings) else _PLAIN_TEXT,
            "smtp_sasl_tls_verified_security_options": _PLAIN_TEXT,
            # Of others a server that is given no password could still get a hash of it, to guess it from.
            "smtp_sasl_mechanism_filter": "plain, login",
            # A refusal would be remembered for 90 days, and a new password would not even be tried.
            "smtp_sasl_auth_cache_name": "",
            "smtp_sasl_auth_soft_bounce": "yes",  # a wrong password defers
            "smtp_sasl_password_result_delimiter": ":",
            "smtp_sender_dependent_authentication": "yes" if settings.logins else "no",
        }
    else:
        rules["smtp_sasl_auth_enable"] = "no"
    if settings.connection_reuse is not None:
        rules["smtp_tls_connection_reuse"] = "yes" if settings.connection_reuse else "no"
    return rules


def delivery_limits(settings: RelaySettings, *, relays_for_others: bool) -> dict[str, str]:
    """How much at once: parameters that the queue manager reads by the name of the transport.

    `relays_for_others`: mail for relay_domains takes the transport `relay`, which then shares what is allowed.
    """
    if settings.dedicated_transport:
        limits = {transport(settings): settings.concurrency}
    elif relays_for_others:
        share = max(1, settings.concurrency // 2)
        limits = {"smtp": max(1, settings.concurrency - share), "relay": share}
    else:
        limits = {"smtp": settings.concurrency}
    values = {f"{name}_destination_concurrency_limit": str(limit) for name, limit in limits.items()}
    if settings.rate_delay is not None:
        values.update({f"{name}_destination_rate_delay": f"{settings.rate_delay}s" for name in limits})
    return values


def routes(settings: RelaySettings, senders: str, others: str) -> dict[str, str]:
    """Which mail goes there. `senders` is our map of senders, `others` are the administrator's maps of that kind."""
    if settings.only_named_senders:
        return {"sender_dependent_default_transport_maps": ", ".join(part for part in (senders, others) if part)}
    if settings.dedicated_transport:
        return {"default_transport": f"{transport(settings)}:{settings.next_hop}"}
    return {"relayhost": settings.next_hop}


def transport_service(settings: RelaySettings, rules: Mapping[str, str], chroot: str) -> Service:
    """The transport of its own: its process limit is a hard cap, its rules bind no other mail."""
    words = [transport(settings), "unix", "-", "-", chroot, "-", str(settings.concurrency), "smtp"]
    options = dict(rules)
    if settings.connection_reuse:
        options["tlsproxy_service_name"] = OWN_TLSPROXY
    return Service(words, options)


def tlsproxy_service(name: str, rules: Mapping[str, str], chroot: str) -> Service:
    """The service for connection reuse; most packages ship the shared one commented out."""
    options = {}
    if name == OWN_TLSPROXY:
        options = {rule: rules[rule] for rule in ("smtp_tls_security_level", "smtp_tls_CAfile", "smtp_tls_loglevel")}
    return Service([name, "unix", "-", "-", chroot, "-", "0", "tlsproxy"], options)


def normal(value: str) -> str:
    """Postfix splits lists at blanks and commas alike."""
    return " ".join(value.replace(",", " ").split())


def holds_password(name: str, value: str) -> bool:
    """Whether the logins stand in the parameter itself, and not in a file that it names."""
    return name == "smtp_sasl_password_maps" and any(kind in value for kind in ("static:", "inline:"))


def shown(name: str, value: str) -> str:
    """A value as messages and diffs show it."""
    return "(holds a password)" if holds_password(name, value) else value


def is_right(name: str, wanted: str, current: str) -> bool:
    """Whether the current value does what the wanted one would do."""
    value = normal(current)
    if value == normal(wanted):
        return True
    if name == "smtp_delivery_status_filter":
        # The administrator may have added filters around ours.
        return normal(wanted).split()[-1] in value.split()
    if name in (KEYWORDS, PROTOCOLS):
        return is_heard(current) if name == KEYWORDS else has_tls_of_today(current)
    if name.endswith("_rate_delay"):
        return value in (wanted.rstrip("s"), wanted)
    return value.lower() in _ALSO_RIGHT.get(name, ())
