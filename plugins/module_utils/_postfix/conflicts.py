# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this Postfix does besides, and whether that stands in the way of the wanted relay. Reads only."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Optional

from . import files, hearing, parameters
from .changes import Plan
from .commands import Instance, PostfixError
from .other_ways import OtherWays, bound, check_own_transport, listed, other_ways, without_policy
from .settings import RelaySettings
from .tables import split
from .tls_policy import ENCRYPTING_LEVELS, POLICY_TABLES, VERIFYING_LEVELS, levels, policy_tables

# Debian and Alpine; Red Hat; SUSE; Red Hat's newer place. A file, because a directory cannot be read in the chroot.
CA_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
_SASL_PLUGINS = ("usr/lib/*/sasl2", "usr/lib64/sasl2", "usr/lib/sasl2", "usr/local/lib*/sasl2")
_LOOKED_AT = ("content_filter", "default_transport")


def ca_bundle() -> Optional[str]:
    """The file with the certificates that this host trusts, None where there is none."""
    return next((name for name in CA_FILES if Path(name).is_file()), None)


def find_ca_file(wanted: Optional[str]) -> str:
    """The file with trusted certificates, proven to be readable as such."""
    path = wanted or ca_bundle()
    if path is None:
        raise PostfixError(
            "no bundle of trusted certificates was found on this host; install the package ca-certificates or set "
            "smarthost_ca_path.",
            "not_installed",
        )
    try:
        ssl.create_default_context(cafile=path)
    except (OSError, ssl.SSLError) as error:
        raise PostfixError(
            f"smarthost_ca_path: no certificates can be read from {path} ({error}).", "invalid_options"
        ) from None
    return path


def has_sasl_plugin(root: Path = Path("/")) -> bool:
    """Whether a plugin for PLAIN or LOGIN lies where the packages put it."""
    patterns = (f"{folder}/lib{kind}*" for folder in _SASL_PLUGINS for kind in ("plain", "login"))
    return any(True for pattern in patterns for _match in root.glob(pattern))


def check_client(instance: Instance, *, needs_login: bool) -> list[str]:
    """Make sure that this Postfix can log in at all; return warnings."""
    if not needs_login:
        return []
    if "cyrus" not in instance.sasl_types():
        raise PostfixError(
            "this Postfix was built without Cyrus SASL, so it cannot log in; install a build that can.", "unsupported"
        )
    if has_sasl_plugin():
        return []
    return [
        "No Cyrus SASL plugin for PLAIN or LOGIN was found; without one Postfix defers all mail ('No worthy mechs "
        "found'). Install libsasl2-modules (Debian), cyrus-sasl-plain (Red Hat, SUSE) or cyrus-sasl-login (Alpine)."
    ]


def check_shared(instance: Instance, settings: RelaySettings, plan: Plan, rules: Mapping[str, str]) -> list[str]:
    """Check that the relay may use the rules of main.cf, which bind all mail; return warnings."""
    explicit, effective = instance.explicit(), instance.effective([*_LOOKED_AT, *POLICY_TABLES])
    found = other_ways(instance)
    remedy = _remedy(instance, settings, found)
    ours = plan.remembered_before.parameters.get("default_transport")
    transport = (
        ours.original or "smtp"
        if ours and ours.ours == explicit.get("default_transport")
        else effective["default_transport"]
    )
    if transport != "smtp":
        raise PostfixError(f"default_transport is '{transport}', so relayhost alone would not be enough; {remedy}.")
    if effective["content_filter"].startswith("smtp:"):
        raise PostfixError(
            f"content_filter sends all mail to '{effective['content_filter']}', which would have to log in and encrypt "
            f"as the smarthost does; {remedy}."
        )
    warnings = []
    # Mail for relay_domains takes the client `relay`, and now goes to the smarthost too.
    for client in ("smtp", "relay") if explicit.get("relay_domains") else ("smtp",):
        overrides = instance.overrides(f"{client}/unix")
        for name, value in overrides.items():
            if name in rules and not parameters.is_right(name, rules[name], value):
                raise PostfixError(
                    f"master.cf overrides {name} with '{parameters.shown(name, value)}' for {client}; remove it there, "
                    f"or {remedy}."
                )
        warnings += _check_policy(instance, settings, policy_tables({**effective, **overrides}), remedy)
    hearing.check_addresses(instance, settings, remedy)
    _check_other_clients(instance, settings, remedy)
    _check_other_logins(instance, settings, remedy)
    warnings += _check_other_ways(instance, settings, plan, found, remedy)
    if explicit.get("relay_domains"):
        warnings.append(
            "This Postfix relays for other domains (relay_domains); their mail now goes to the smarthost as well. "
            f"If that is not wanted, {remedy}."
        )
    return list(dict.fromkeys(warnings))


def _remedy(instance: Instance, settings: RelaySettings, found: OtherWays) -> str:
    """What to do where the rules of main.cf would bind other mail, with what that needs first."""
    advice = "set dedicated_transport=true to keep the smarthost apart from it"
    try:
        check_own_transport(instance, settings, found)
    except PostfixError as error:
        return f"{advice}, which needs a change first ({str(error).rstrip('.')})"
    return advice


def _check_other_ways(
    instance: Instance, settings: RelaySettings, plan: Plan, found: OtherWays, remedy: str
) -> list[str]:
    """Refuse where mail that goes elsewhere would be bound by rules that its server cannot follow."""
    ways = bound(instance, settings, found.ways)
    other = list(dict.fromkeys([way.place for way in ways] + [name.partition(" ")[0] for name in found.unknown]))
    if other and settings.implicit_tls:
        raise PostfixError(
            f"this Postfix also sends by {other[0]}, and TLS before the first word (smtp_tls_wrappermode) would bind "
            f"that mail too, as no table can take a server out of it; {remedy}."
        )
    if other and settings.system_sender:
        raise PostfixError(
            f"this Postfix also sends by {other[0]}, and system_sender (smtp_generic_maps) would rewrite that mail "
            f"too; {remedy}."
        )
    effective = instance.effective(["smtp_sasl_password_maps", "smtp_tls_policy_maps"])
    logins = effective["smtp_sasl_password_maps"]
    if other and logins and not _is_ours(instance, plan, "smtp_sasl_password_maps"):
        raise PostfixError(
            f"this Postfix also sends by {other[0]} and has logins of its own in smtp_sasl_password_maps; {remedy}."
        )
    if other and settings.logins:
        raise PostfixError(
            f"this Postfix also sends by {other[0]}, and a login that is chosen by sender would be offered to those "
            f"servers too; {remedy}."
        )
    waiting = without_policy(instance, effective["smtp_tls_policy_maps"], ways) if settings.tls_level != "may" else []
    if waiting:
        first = waiting[0]
        raise PostfixError(
            f"{first.place}: {listed(waiting)} would be bound by the TLS rules for the smarthost, and that mail would "
            f"wait where a server does not follow them. Give each its own TLS level in smtp_tls_policy_maps, as in "
            f"'{first.next_hop or first.key} may', or {remedy}."
        )
    return [
        f"This Postfix also sends by {name}, which cannot be listed; the TLS rules for the smarthost bind that mail "
        f"too, except where smtp_tls_policy_maps names a server. If that is not wanted, {remedy}."
        for name in found.unknown
    ]


def check_reach(instance: Instance, settings: RelaySettings, plan: Plan) -> list[str]:
    """Warn where an administrator's rule takes precedence and mail would not reach the smarthost."""
    if settings.only_named_senders:
        return []
    warnings = []
    effective = instance.effective(
        ["transport_maps", "sender_dependent_default_transport_maps", "sender_dependent_relayhost_maps"]
    )
    for table in split(effective["transport_maps"]):
        if (instance.lookup(table, ["*"]) or {}).get("*"):
            warnings.append(
                f"transport_maps sends all other mail elsewhere ('*' in {table}); it does not reach the smarthost."
            )
    before = (
        "sender_dependent_default_transport_maps" if settings.dedicated_transport else "sender_dependent_relayhost_maps"
    )
    if effective[before] and not _is_ours(instance, plan, before):
        warnings.append(f"{before} is set; mail from the senders in it does not reach the smarthost.")
    return warnings


def check_no_password_in_main(value: str) -> None:
    """Refuse to remember a parameter that holds a password."""
    if parameters.holds_password("smtp_sasl_password_maps", value):
        raise PostfixError(
            "smtp_sasl_password_maps holds a password in main.cf, where everybody can read it and from where it would "
            "be copied; take it out with 'postconf -X smtp_sasl_password_maps' and run again."
        )


def check_files_free(instance: Instance, plan: Plan, names: list[str]) -> None:
    """Refuse to overwrite a file that somebody else made."""
    for name in names:
        if name in plan.remembered_before.files:
            continue
        files.refuse_link(instance.path(name))
        if Path(instance.path(name)).exists():
            raise PostfixError(f"{instance.path(name)} exists and is not ours; move it away and run again.")


def _check_other_clients(instance: Instance, settings: RelaySettings, remedy: str) -> None:
    """Refuse where a service of the administrator, such as the way to a virus scanner, would inherit our rules.

    It would defer all its mail without TLS, or offer it the logins that are chosen by sender.
    """
    needed = [*parameters.binding_rules(settings), *(["smtp_sasl_auth_enable"] if settings.logins else [])]
    for service, words in instance.services().items():
        if words[7] != "smtp" or service in ("smtp/unix", "relay/unix", *parameters.OUR_SERVICES):
            continue
        overrides = instance.overrides(service)
        lacking = [name for name in needed if name not in overrides]
        if lacking:
            raise PostfixError(
                f"the service {service} of master.cf would be bound by the rules for the smarthost; give it its own "
                f"{' and '.join(lacking)} with -o, or {remedy}."
            )


def _check_other_logins(instance: Instance, settings: RelaySettings, remedy: str) -> None:
    """Refuse where a service has passwords for servers that it does not verify: it would not give them any more."""
    if not (settings.default_login or settings.logins) or not parameters.only_verified_servers(settings):
        return
    main = instance.effective(["smtp_tls_policy_maps", "smtp_tls_security_level", "smtp_sasl_auth_enable"])
    for service, words in instance.services().items():
        overrides = instance.overrides(service)
        own = {**main, **overrides}
        logs_in = own["smtp_sasl_auth_enable"] == "yes" and "smtp_sasl_password_maps" in overrides
        if words[7] != "smtp" or service in parameters.OUR_SERVICES or not logs_in:
            continue
        level = overrides.get("smtp_tls_security_level", "secure")
        if "smtp_sasl_tls_security_options" in overrides or (
            level in VERIFYING_LEVELS and not own["smtp_tls_policy_maps"]
        ):
            continue
        raise PostfixError(
            f"the service {service} of master.cf logs in with passwords of its own, which the rules for the smarthost "
            "would give to verified servers only; give it its own smtp_sasl_tls_security_options with -o, such as "
            f"noanonymous, or {remedy}."
        )


def _check_policy(instance: Instance, settings: RelaySettings, tables: str, remedy: str) -> list[str]:
    """A TLS policy for the smarthost beats the level of main.cf; return warnings of tables that do not answer."""
    enough = {"secure": VERIFYING_LEVELS, "encrypt": ENCRYPTING_LEVELS}.get(settings.tls_level)
    if enough is None:
        return []
    given = (
        "the password would be given to any server" if settings.tls_level == "secure" else "mail could go unencrypted"
    )
    # Where all mail needs a login, a lower level can only make it wait.
    kept = parameters.only_verified_servers(settings) and not settings.by_address
    warnings = []
    for table, found in levels(instance, tables, settings.next_hop):
        if found is None and not kept:
            raise PostfixError(
                f"smtp_tls_policy_maps: {table} cannot be asked, so it is not known whether it lowers the TLS level "
                f"for the smarthost; repair or remove it, or {remedy}."
            )
        if found is None:
            warnings.append(
                f"smtp_tls_policy_maps: {table} cannot be asked. If it lowers the TLS level for the smarthost, the "
                "mail waits; no password is given to a server whose certificate was not matched."
            )
        for key, level in (found or {}).items():
            if level not in enough:
                raise PostfixError(
                    f"smtp_tls_policy_maps: {table} lowers the TLS level for '{key}' to '{level}'; {given}. Remove "
                    f"that entry, or {remedy}."
                )
    return warnings


def _is_ours(instance: Instance, plan: Plan, name: str) -> bool:
    remembered = plan.remembered_before.parameters.get(name)
    current = instance.explicit().get(name, "")
    return remembered is not None and parameters.normal(remembered.ours) == parameters.normal(current)
