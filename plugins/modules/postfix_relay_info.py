#!/usr/bin/python
# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at this host before it is made a relay."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postfix_relay_info
short_description: Show how this host sends mail, and whether it can use the smarthost
version_added: 1.0.0
description:
  - Tells whether Postfix is installed and runs, what it lacks to log in to a smarthost, which lookup tables it offers,
    how M(smarthost.spamexperts.postfix_relay) has set it up, and how much mail waits.
  - With O(compare) also whether anything is left to do there, so that a host at rest needs no other module.
  - Recognises hosts whose mail belongs to a panel (such as Plesk, cPanel or ISPConfig) or to another mail server (such
    as Exim or Sendmail), before anything is installed there.
options:
  fail_on_objection:
    description:
      - If V(true), the task fails on a host whose mail belongs to a panel or to another mail server.
      - With O(config_directory) nobody objects to an instance beside the main one of an installed Postfix, because it
        belongs to nobody else.
    type: bool
    default: false
  replace_mail_server:
    description:
      - If V(true), an Exim that Debian has brought along and that nobody would miss is no objection, and RV(replaces)
        says which packages make room for Postfix when that is installed. Nothing is removed here.
      - Nobody would miss it, where its queue is empty, its configuration is as the package made it, for mail on the
        host itself, no file of it has been changed or added, and nothing else would be removed with it. Otherwise the
        objection names everything that was found.
    type: bool
    default: false
  compare:
    description:
      - If V(true), the host is compared with what the options say that M(smarthost.spamexperts.postfix_relay) has as
        well, and RV(at_rest) says whether that module would have anything to do.
      - Without it, of those options only the logins and where the smarthost is count, for RV(new_logins).
    type: bool
    default: false
  prove_logins:
    description:
      - With O(compare=true), whether each login is tried at the smarthost from here, for RV(proven), where RV(at_rest)
        is V(true). Elsewhere they are better proven after the change.
      - No more than two are refused, since the vendor blocks an address whose logins fail often.
    type: bool
    default: false
  prove_new_logins:
    description:
      - With O(compare=true), whether each of RV(new_logins) is tried at the smarthost from here, for RV(proven_logins),
        where RV(at_rest) is V(false) and RV(lacking) names nothing. So a login is tried before mail depends on it.
      - Where many hosts have the same new login, it is better tried once, before any of them.
      - No more than two are refused, see O(prove_logins).
    type: bool
    default: false
  past:
    description:
      - Whether to look for what goes past the smarthost or lowers the TLS level on the way there as well, and for the
        networks of this host, as M(smarthost.spamexperts.audit) wants to know.
    type: bool
    default: false
extends_documentation_fragment:
  - smarthost.spamexperts._failure
  - smarthost.spamexperts._failure.HOST
  - smarthost.spamexperts._postfix
  - smarthost.spamexperts._postfix.relay
  - smarthost.spamexperts._smarthost
  - smarthost.spamexperts._smarthost.ca
  - smarthost.spamexperts._attributes.INFO
author:
  - smarthost.spamexperts maintainers (@smarthost)
seealso:
  - module: smarthost.spamexperts.postfix_relay
"""

EXAMPLES = r"""
- name: How does this host send its mail?
  smarthost.spamexperts.postfix_relay_info:
  register: relay

- name: Stop on hosts that belong to a panel
  smarthost.spamexperts.postfix_relay_info:
    fail_on_objection: true

- name: Is this login new here?
  smarthost.spamexperts.postfix_relay_info:
    default_login: web1@example.com
    default_password: "{{ vault_web1_password }}"

- name: Does this host send as it should, and does its login work?
  smarthost.spamexperts.postfix_relay_info:
    default_login: web1@example.com
    default_password: "{{ vault_web1_password }}"
    compare: true
    prove_logins: true
    prove_new_logins: true
  register: relay

- name: Which mail goes past the smarthost?
  smarthost.spamexperts.postfix_relay_info:
    past: true
"""

RETURN = r"""
objection:
  description: Why this host had better be left alone, empty if there is no reason.
  returned: always
  type: str
  sample: "Plesk manages the mail of this host and would overwrite what is set here; set the smarthost there."
replaces:
  description: With O(replace_mail_server), the packages that are removed when Postfix is installed here.
  returned: always
  type: list
  elements: str
  sample: [exim4-base, exim4-config, exim4-daemon-light]
installed:
  description: Whether Postfix is installed.
  returned: always
  type: bool
  sample: true
lacking:
  description: What is not there and is needed to log in to a smarthost over verified TLS.
  returned: always
  type: list
  elements: str
  sample: [a plugin of Cyrus SASL for PLAIN or LOGIN]
new_logins:
  description:
    - Which of O(default_login) and O(logins) are new here. The host does not send to O(smarthost) with such a login
      and password yet.
  returned: always
  type: list
  elements: str
  sample: [web1@example.com]
at_rest:
  description:
    - Whether this host sends as the options say, lacks nothing and runs, so that nothing is left to do.
    - Where it is V(false), M(smarthost.spamexperts.postfix_relay) does what is left, or says why that is not possible.
  returned: O(compare=true)
  type: bool
  sample: true
changes:
  description:
    - Names of the parameters, services and files that M(smarthost.spamexperts.postfix_relay) would change. Null where
      that is not possible, and it would say why.
  returned: O(compare=true), when Postfix is installed
  type: list
  elements: str
  sample: []
proven:
  description:
    - Whether the smarthost has just accepted each login from here.
    - M(smarthost.spamexperts.smtp_login_info) says why one was not.
  returned: O(compare=true)
  type: bool
  sample: true
proven_logins:
  description: The names of the logins that the smarthost has just accepted from here. Never a password.
  returned: O(compare=true)
  type: list
  elements: str
  sample: [server1@example.com]
login_failure:
  description: Why a login that was tried is not accepted. Empty when all are, or none was tried.
  returned: O(compare=true)
  type: str
  sample: "The login web1@example.com was refused: 4489.smtp.antispamcloud.com answered: 535 Incorrect authentication."
refused_logins:
  description: How many logins the smarthost has refused, for the option of the same name of a later task.
  returned: O(compare=true)
  type: int
  sample: 0
version:
  description: Version of Postfix.
  returned: when Postfix is installed
  type: str
  sample: 3.7.11
config_directory:
  description: The configuration directory of the instance.
  returned: when Postfix is installed
  type: str
  sample: /etc/postfix
running:
  description: Whether Postfix runs.
  returned: when Postfix is installed
  type: bool
  sample: true
default_map_type:
  description: The type of lookup table that this Postfix prefers.
  returned: when Postfix is installed
  type: str
  sample: hash
map_types:
  description: The types of lookup tables that it offers and M(smarthost.spamexperts.postfix_relay) can use.
  returned: when Postfix is installed
  type: list
  elements: str
  sample: [btree, hash, texthash]
managed:
  description: Whether M(smarthost.spamexperts.postfix_relay) has set up this instance.
  returned: when Postfix is installed
  type: bool
  sample: true
unfinished:
  description: Whether its last run was interrupted. The next run finishes the work.
  returned: when Postfix is installed
  type: bool
  sample: false
next_hop:
  description: Where M(smarthost.spamexperts.postfix_relay) lets this host send, as Postfix writes it. Empty if nowhere.
  returned: when Postfix is installed
  type: str
  sample: "[4489.smtp.antispamcloud.com]:587"
smarthost_tls:
  description:
    - How TLS begins on that way, V(starttls) or V(implicit) (C(smtp_tls_wrappermode)). Empty without RV(next_hop).
  returned: when Postfix is installed
  type: str
  sample: starttls
tls_level:
  description: The TLS level of the SMTP client on that way, C(smtp_tls_security_level). Empty without RV(next_hop).
  returned: when Postfix is installed
  type: str
  sample: secure
authentication:
  description: How the smarthost knows this host, V(login) or V(ip). Empty without RV(next_hop).
  returned: when Postfix is installed
  type: str
  sample: login
password_only_for_verified_servers:
  description:
    - Whether a password is given only to a server whose certificate was matched, whatever level a table or a header of
      a mail has led to (C(smtp_sasl_tls_security_options) and C(smtp_sasl_tls_verified_security_options)).
    - Null without RV(next_hop).
  returned: when Postfix is installed
  type: bool
  sample: true
tls_required_header_ignored:
  description:
    - Whether the header C(TLS-Required) of a mail cannot lower the TLS level, because C(tls_required_enable) is V(no)
      or this Postfix does not know it.
    - Null without RV(next_hop).
  returned: when Postfix is installed
  type: bool
  sample: true
changed_routes:
  description:
    - What somebody has made since of the parameters that lead to the smarthost, such as C(relayhost).
    - Null without RV(next_hop).
  returned: O(past=true), when Postfix is installed
  type: list
  elements: dict
  sample: []
  contains:
    name:
      description: The parameter.
      type: str
      returned: always
      sample: relayhost
    value:
      description: What main.cf says now. Empty where it says nothing.
      type: str
      returned: always
      sample: "[smtp.example.net]"
lowered_tls:
  description:
    - Where the TLS level is lower for the smarthost than V(verify), by a table of C(smtp_tls_policy_maps) or
      C(smtp_tls_per_site), or by C(-o) in master.cf.
    - Null without RV(next_hop).
  returned: O(past=true), when Postfix is installed
  type: list
  elements: dict
  sample: []
  contains:
    place:
      description: The table and the key, or the service.
      type: str
      returned: always
      sample: "hash:/etc/postfix/tls_policy for [4489.smtp.antispamcloud.com]:587"
    level:
      description: The level.
      type: str
      returned: always
      sample: may
past:
  description:
    - Which mail goes to other servers than the smarthost, by C(transport_maps), C(relay_transport) and their like,
      C(sender_dependent_relayhost_maps) or C(sender_dependent_default_transport_maps).
    - Null without RV(next_hop).
  returned: O(past=true), when Postfix is installed
  type: list
  elements: dict
  sample:
    - place: transport_maps
      names: [inside.example]
      number: 1
  contains:
    place:
      description: The parameter.
      type: str
      returned: always
      sample: transport_maps
    names:
      description: The first senders, recipients or domains; without a table, the next hop.
      type: list
      elements: str
      returned: always
      sample: [inside.example]
    number:
      description: How many there are.
      type: int
      returned: always
      sample: 1
tables_not_read:
  description: Tables that cannot be asked or listed, so that RV(lowered_tls) and RV(past) have left them out.
  returned: O(past=true), when Postfix is installed
  type: list
  elements: str
  sample: ["transport_maps (regexp:/etc/postfix/transport)"]
own_networks:
  description: The networks of the interfaces of this host. Null where it has no C(ip) that tells them.
  returned: O(past=true), when Postfix is installed
  type: list
  elements: str
  sample: [127.0.0.0/8, 192.0.2.0/24]
logins:
  description: The logins that it has set up, by what they are looked up with. Never a password.
  returned: when Postfix is installed
  type: list
  elements: dict
  sample:
    - key: "[4489.smtp.antispamcloud.com]:587"
      login: web1@example.com
  contains:
    key:
      description: The sender or the next hop.
      type: str
      returned: always
      sample: "@example.net"
    login:
      description: The login.
      type: str
      returned: always
      sample: shop@example.net
other_logins:
  description:
    - The logins in other tables of C(smtp_sasl_password_maps), which it has not set up, as far as they can be read.
    - Never a password.
  returned: when Postfix is installed
  type: list
  elements: str
  sample: [shop@example.com]
waiting:
  description: How many mails are in the queue, null if Postfix does not say.
  returned: when Postfix is installed
  type: int
  sample: 0
domain:
  description: The domain of this host, C(mydomain).
  returned: when Postfix is installed
  type: str
  sample: example.com
mynetworks:
  description: Who may send through this host without a login, the words of C(mynetworks); networks, and tables.
  returned: when Postfix is installed
  type: list
  elements: str
  sample: [127.0.0.0/8, "[::1]/128"]
readable_password_files:
  description: Files with logins, of C(smtp_sasl_password_maps), that everybody on the host can read.
  returned: when Postfix is installed
  type: list
  elements: str
  sample: [/etc/postfix/sasl_passwd]
verification_probes:
  description:
    - Whether this host asks the smarthost if an address exists, for each mail that it receives
      (C(reject_unverified_sender) or C(reject_unverified_recipient), with no way of their own for that).
    - Such a probe is a connection that counts there.
  returned: when Postfix is installed
  type: bool
  sample: false
failure:
  description:
    - Why, in a word for programs. The notes say what C(code) can be.
    - Here also V(host_managed) where the mail of the host belongs to a panel or to another mail server.
  returned: failure
  type: dict
  sample: {code: host_managed}
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

from ..module_utils._module import SecretSafeModule
from ..module_utils._names import IMPLICIT, STARTTLS, InputError, begins_with_tls, host_name, port_number
from ..module_utils._postfix import exim, files, host_manager, maps, originals, password_maps
from ..module_utils._postfix.commands import Instance, PostfixError
from ..module_utils._postfix.conflicts import ca_bundle, has_sasl_plugin
from ..module_utils._postfix.exposure import exposure
from ..module_utils._postfix.module import INSTANCE_OPTIONS, find_instance, module_runner, names_main_instance
from ..module_utils._postfix.options import RELAY_OPTIONS
from ..module_utils._postfix.parameters import PASSWORDS_FILE
from ..module_utils._postfix.plan import plan_present
from ..module_utils._postfix.settings import Login, RelaySettings, given_logins, next_hop, settings_from
from ..module_utils._postfix.way import exceptions_from_the_way, own_networks, way_to_the_smarthost, ways
from ..module_utils._smarthost.connection import Smarthost
from ..module_utils._smarthost.login import Refusals, Verdict, failure, prove_logins
from ..module_utils._smarthost.options import AUTHORITY_OPTIONS, PLACE_OPTIONS

_PASSWORD_MAPS = "smtp_sasl_password_maps"


def main() -> None:
    """Run the module."""
    module = SecretSafeModule(
        argument_spec={
            **PLACE_OPTIONS,
            **AUTHORITY_OPTIONS,
            **RELAY_OPTIONS,
            **INSTANCE_OPTIONS,
            "compare": {"type": "bool", "default": False},
            "prove_logins": {"type": "bool", "default": False},
            "prove_new_logins": {"type": "bool", "default": False},
            "past": {"type": "bool", "default": False},
            "fail_on_objection": {"type": "bool", "default": False},
            "replace_mail_server": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        result = look(module)
    except (PostfixError, InputError) as error:
        module.fail_json(msg=str(error), code=error.code)
    except PermissionError as error:
        reason = f"{error.filename} can be read by root only; run the task with become: true."
        module.fail_json(msg=reason, code="no_permission")
    module.exit_json(changed=False, **result)


def look(module: Any) -> dict[str, Any]:
    """Everything that is returned; raises PostfixError on an objection, if the options say so.

    Raises InputError for a login that no table can carry: nobody should try it at the smarthost, which counts refusals.
    """
    params = module.params
    settings = settings_from(params) if params["compare"] else None
    logins = given_logins(params)
    installed = module.get_bin_path("postconf") is not None
    # Where Postfix is not installed yet, another instance of it is not there either, and its package replaces others.
    objection, replaces = objection_to(module) if names_main_instance(module) or not installed else ("", [])
    if objection and params["fail_on_objection"]:
        raise PostfixError(objection, "host_managed")
    lacking = [] if installed else ["Postfix"]
    if not has_sasl_plugin():
        lacking.append("a plugin of Cyrus SASL for PLAIN or LOGIN")
    if ca_bundle() is None:
        lacking.append("a bundle of trusted certificates")
    result: dict[str, Any] = {
        "objection": objection,
        "replaces": replaces,
        "installed": installed,
        "lacking": lacking,
        "new_logins": [login.name for login in logins],
    }
    if settings:
        result.update(at_rest=False, proven=False, proven_logins=[], login_failure="", refused_logins=0)
    if not installed:
        return result
    instance = find_instance(module)
    remembered = originals.load(instance)
    result.update(look_at_instance(instance, remembered))
    result["new_logins"] = new_logins(instance, remembered, params, logins, result["smarthost_tls"])
    if params["past"]:
        result.update(exceptions_from_the_way(instance, remembered), own_networks=own_networks(instance))
    if settings:
        result.update(compared(module, instance, settings))
        result["at_rest"] = result["running"] and not lacking and result["changes"] == []
        wanted = params["prove_logins" if result["at_rest"] else "prove_new_logins"]
        if wanted and not lacking:
            names = [login.name for login in logins] if result["at_rest"] else result["new_logins"]
            result.update(proof(settings, [login for login in logins if login.name in names]))
            result["proven"] = {login.name for login in logins} <= set(result["proven_logins"])
    return result


def compared(module: Any, instance: Instance, settings: RelaySettings) -> dict[str, Any]:
    """What there is to change, as `changes`; the warnings that come without a change are given."""
    try:
        plan = plan_present(instance, settings)
    except PostfixError:
        return {"changes": None}
    for warning in plan.warnings if not plan.changed else ():
        module.warn(warning)
    return {"changes": sorted(plan.before)}


def proof(settings: RelaySettings, logins: Sequence[Login]) -> dict[str, Any]:
    """Which of these logins the smarthost accepts from here, and how many it has refused."""
    server = Smarthost(settings.host, settings.port, settings.ca_path, settings.implicit_tls)
    refusals = Refusals()
    # One is left, for whoever says why.
    proofs = prove_logins(server, [(login.name, login.password) for login in logins], refusals=refusals, keep=1)
    others = {each.login for each in proofs if each.verdict is not Verdict.ACCEPTED}
    return {
        "login_failure": failure(proofs)[0],
        "proven_logins": [login.name for login in logins if login.name not in others],
        "refused_logins": refusals.used,
    }


def objection_to(module: Any) -> tuple[str, list[str]]:
    """Why this host had better be left alone, and which packages make room for Postfix where nobody needs them."""
    objection = host_manager.objection()
    if objection is None or not module.params["replace_mail_server"] or host_manager.written_by():
        return objection or "", []
    try:
        return "", exim.replaceable(module_runner(module))
    except PostfixError as error:
        return str(error), []


def new_logins(
    instance: Instance, remembered: originals.Originals, params: Mapping[str, Any], logins: Sequence[Login], now: str
) -> list[str]:
    """The names of the logins with which this host does not send to the smarthost yet. now: how TLS begins there."""
    there = next_hop(host_name(params["smarthost"]), port_number(params["smarthost_port"]))
    implicit = begins_with_tls(params["smarthost_port"], params["smarthost_tls"])
    known: set[str] = set()
    goes_there = any(way.endswith(there) for way in ways(instance, remembered))
    # A server that does not begin with TLS in this way would take no mail at all, so its logins are proven again.
    if PASSWORDS_FILE in remembered.files and goes_there and now == (IMPLICIT if implicit else STARTTLS):
        known.update(maps.parse(files.read(instance.path(PASSWORDS_FILE))).values())
    return [login.name for login in logins if login.secret not in known]


def look_at_instance(instance: Instance, remembered: originals.Originals) -> dict[str, Any]:
    """What can be said of an installed Postfix."""
    running = instance.is_running()
    entries = maps.parse(files.read(instance.path(PASSWORDS_FILE))) if PASSWORDS_FILE in remembered.files else {}
    settings = instance.effective(["mail_version", _PASSWORD_MAPS])
    return {
        "version": settings["mail_version"],
        "config_directory": instance.config_directory,
        "running": running,
        "default_map_type": instance.default_map_type(),
        "map_types": sorted(set(instance.map_types()) & set(maps.INDEX_SUFFIXES)),
        **way_to_the_smarthost(instance, remembered),
        "managed": not remembered.is_empty,
        "unfinished": remembered.unfinished,
        "logins": [{"key": key, "login": value.partition(":")[0]} for key, value in sorted(entries.items())],
        "other_logins": other_logins(settings[_PASSWORD_MAPS], instance.path(PASSWORDS_FILE)),
        "waiting": waiting(instance) if running else None,
        **exposure(instance.everything()),
    }


def other_logins(setting: str, own: str) -> list[str]:
    """The logins in the tables of smtp_sasl_password_maps, but for our own."""
    found: set[str] = set()
    for path in password_maps.map_files(setting)[0]:
        try:
            text = "" if path == own else Path(path).read_text("utf-8", "surrogateescape")
        except OSError:
            continue
        found.update(entry.pair.login for entry in password_maps.map_entries(text))
    return sorted(found)


def waiting(instance: Instance) -> Optional[int]:
    """How many mails are in the queue."""
    answer = instance.ask("postqueue", "-j")
    return None if answer.code else len(answer.out.splitlines())


if __name__ == "__main__":
    main()
