# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Current state + wanted relay -> plan. Decides; changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from .._names import port_warnings
from . import (
    chroot,
    compare,
    conflicts,
    delivery_filter,
    files,
    hearing,
    identity,
    maps,
    originals,
    parameters,
    system_mail,
)
from .changes import Plan
from .commands import Instance, PostfixError
from .maps import Table, choose_kind
from .originals import Service
from .other_ways import check_own_transport, other_ways
from .settings import RelaySettings, login_of
from .tls_policy import POLICY_TABLES


def plan_present(instance: Instance, settings: RelaySettings) -> Plan:
    """Plan the wanted relay; raise PostfixError where it cannot live on this instance.

    Where nobody has chosen, the smarthost gets a transport of its own if its rules would bind other mail, and keeps it.
    """
    plan = Plan(originals.load(instance), warnings=port_warnings(settings.port))
    apart = replace(settings, dedicated_transport=True, transport_is_chosen=True)
    if not settings.transport_is_chosen and parameters.OUR_SERVICES[0] in plan.remembered_before.services:
        settings = apart
    plan.kind = choose_kind(instance, settings.map_type)
    tables = _tables(instance, settings, plan.kind)
    conflicts.check_files_free(instance, plan, [delivery_filter.FILE, *tables])
    plan.warnings += conflicts.check_client(instance, needs_login=parameters.PASSWORDS_FILE in tables)
    hearing.check(instance, settings)
    rules = _rules(instance, settings, plan, tables)
    senders = tables.get(parameters.SENDERS_FILE)
    others = compare.administrators(instance, plan, "sender_dependent_default_transport_maps")
    relays_for_others = bool(instance.explicit().get("relay_domains"))
    wanted = {
        **parameters.delivery_limits(settings, relays_for_others=relays_for_others),
        **parameters.routes(settings, senders.name if senders else "", others),
        **({identity.PARAMETER: "yes"} if settings.identity else {}),
    }
    if not settings.dedicated_transport:
        try:
            plan.warnings += conflicts.check_shared(instance, settings, plan, rules)
        except PostfixError as conflict:
            if settings.transport_is_chosen:
                raise
            try:
                plan = plan_present(instance, apart)
            except PostfixError:
                raise conflict from None
            plan.warnings.append(
                "Other mail of this host goes elsewhere, so the smarthost has a transport of its own, which keeps it "
                "apart (dedicated_transport)."
            )
            return plan
        wanted.update(rules)
    else:
        plan.warnings += check_own_transport(instance, settings, other_ways(instance))
    plan.warnings += system_mail.warnings(instance, settings) + identity.warnings(instance, settings)
    plan.warnings += conflicts.check_reach(instance, settings, plan)
    compare.plan_services(instance, plan, _services(instance, settings, plan, rules, tables))
    compare.plan_parameters(instance, plan, wanted)
    compare.plan_files(instance, plan, tables)
    plan.chroot_files = chroot.missing(instance)
    for name in plan.chroot_files:
        plan.before[f"chroot: {name}"], plan.after[f"chroot: {name}"] = compare.NOT_SET, f"copy of /{name}"
    plan.unended = plan.originals.unended = _unended(instance, plan)
    plan.originals.digests = _digests(instance, plan)
    _refuse_links(instance, plan)
    return plan


def plan_absent(instance: Instance) -> Plan:
    """Plan the way back to what was there before us."""
    plan = Plan(originals.load(instance))
    compare.check_ways(instance, plan)
    compare.plan_services(instance, plan, {})
    compare.plan_parameters(instance, plan, {})
    compare.plan_files(instance, plan, {})
    plan.unended = _unended(instance, plan)
    _refuse_links(instance, plan)
    return plan


def _refuse_links(instance: Instance, plan: Plan) -> None:
    """Refuse where something that the plan writes or removes is a link."""
    indexes = [maps.index_path(table.path, table.kind) for table in plan.tables]
    paths = [instance.path(name) for name in plan.changed_configuration]
    paths += [path for path in (*(table.path for table in plan.tables), *indexes, *plan.unused_files) if path]
    if plan.write_filter:
        paths.append(instance.path(delivery_filter.FILE))
    if plan.changed:
        paths.append(instance.path(originals.FILE))
    for path in paths:
        files.refuse_link(path)


def _digests(instance: Instance, plan: Plan) -> dict[str, str]:
    """Digests of the files as they were before us, as far as that is known."""
    old = plan.remembered_before
    new = {name: files.digest(instance.path(name)) for name in plan.changed_configuration}
    # What an older version of this collection has changed already is known to nobody.
    untouched = {"main.cf": not old.parameters, "master.cf": not old.services}
    return {**{name: value for name, value in new.items() if untouched[name]}, **old.digests}


def _unended(instance: Instance, plan: Plan) -> dict[str, str]:
    """The files whose last line has no newline, or had none before our first run."""
    digests = {name: files.unended(instance.path(name)) for name in plan.changed_configuration}
    return {**plan.remembered_before.unended, **{name: digest for name, digest in digests.items() if digest}}


def _rules(instance: Instance, settings: RelaySettings, plan: Plan, tables: Mapping[str, Table]) -> dict[str, str]:
    """The rules for the SMTP client, as far as this version of Postfix knows them."""
    administrators = compare.administrators(instance, plan, "smtp_delivery_status_filter")
    if not administrators and instance.explicit().get("default_delivery_status_filter"):
        administrators = "$default_delivery_status_filter"
    passwords, system = tables.get(parameters.PASSWORDS_FILE), tables.get(parameters.SYSTEM_FILE)
    rules = parameters.client_rules(
        settings,
        conflicts.find_ca_file(settings.ca_path),
        passwords.name if passwords else "",
        delivery_filter.merged(instance, administrators),
    )
    if system:
        theirs = compare.administrators(instance, plan, parameters.GENERIC)
        if settings.dedicated_transport:
            theirs = instance.overrides("smtp/unix").get(parameters.GENERIC, theirs)
        rules[parameters.GENERIC] = ", ".join(filter(None, (system.name, theirs)))
    rules |= hearing.rules(hearing.client(instance) if settings.dedicated_transport else instance.everything())
    known = instance.effective(rules)
    return {name: value for name, value in rules.items() if name in known}


def _tables(instance: Instance, settings: RelaySettings, kind: str) -> dict[str, Table]:
    """The maps that the relay needs, by file name."""
    tables = {}
    logins = {key: login.secret for login in settings.logins for key in login.senders}
    own = system_mail.own_senders(instance, settings) if settings.system_sender else []
    login = login_of(settings, settings.system_sender) if settings.system_sender else None
    if login and login != settings.default_login:
        # Postfix looks the login up before it rewrites the sender.
        logins |= dict.fromkeys(own, login.secret)
    if settings.default_login:
        logins[settings.next_hop] = settings.default_login.secret
    if logins:
        name = parameters.PASSWORDS_FILE
        tables[name] = Table(instance.path(name), kind, 0o600, logins)
    if settings.only_named_senders:
        name = parameters.SENDERS_FILE
        target = f"{parameters.transport(settings)}:{settings.next_hop}"
        tables[name] = Table(instance.path(name), kind, 0o644, dict.fromkeys(settings.named_senders, target))
    if settings.system_sender and own:
        name = parameters.SYSTEM_FILE
        tables[name] = Table(instance.path(name), kind, 0o644, dict.fromkeys(own, settings.system_sender))
    return tables


def _services(
    instance: Instance, settings: RelaySettings, plan: Plan, rules: Mapping[str, str], tables: Mapping[str, Table]
) -> dict[str, Service]:
    """The services that master.cf needs beyond the administrator's."""
    present, ours = instance.services(), plan.remembered_before.services
    if "smtp/unix" not in present:
        raise PostfixError(f"{instance.path('master.cf')} has no service 'smtp unix'; restore it, then run again.")
    chroot = present["smtp/unix"][4]
    wanted = {}
    if settings.dedicated_transport:
        transport = parameters.transport(settings)
        if f"{transport}/unix" in present and f"{transport}/unix" not in ours:
            raise PostfixError(
                f"{instance.path('master.cf')} already has a transport named '{transport}' that is not ours; rename "
                "it, then run again."
            )
        # A table of the administrator could lower the level for the smarthost, or keep STARTTLS from being heard.
        by_server = instance.effective((*POLICY_TABLES, hearing.KEYWORDS_BY_ADDRESS))
        policies = dict.fromkeys(by_server, "")
        # What the administrator says of `smtp`, such as the address to send from, counts for its mail here as well.
        options = {**instance.overrides("smtp/unix"), **rules, **policies}
        if parameters.PASSWORDS_FILE not in tables:
            options.pop("smtp_sasl_password_maps", None)
        wanted[f"{transport}/unix"] = parameters.transport_service(settings, options, chroot)
    if settings.connection_reuse:
        name = parameters.OWN_TLSPROXY if settings.dedicated_transport else parameters.SHARED_TLSPROXY
        service = f"{name}/unix"
        # The administrator's own shared one serves as well.
        if service not in present or service in ours:
            wanted[service] = parameters.tlsproxy_service(name, rules, chroot)
    return wanted
