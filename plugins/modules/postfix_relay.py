#!/usr/bin/python
# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let the Postfix of this host send through the smarthost."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postfix_relay
short_description: Let Postfix send through the smarthost, without losing a mail
version_added: 1.0.0
description:
  - Configures the Postfix of this host to hand its mail to the smarthost, over verified TLS and with the right login,
    and takes all of it back with O(state=absent).
  - Every lookup that Postfix will make is tried before C(main.cf) is touched. Maps are replaced by a verified rename,
    so a running Postfix never needs a restart and never sees half a map. Only what differs is written.
  - The module reloads Postfix where that is needed and lets it try waiting mail again after a change. No handler is
    needed.
  - The module runs on the mail server and needs nothing but Python and Postfix there.
options:
  state:
    description:
      - V(present) sets the relay up as the other options say.
      - V(absent) brings every parameter and file back to what it was before the first run. Other options than
        O(config_directory) and O(flush) are not needed then.
      - V(staged) puts the tables with the logins beside those in use, complete and looked up, and changes nothing else.
        The command in RV(activation) puts them in use, in milliseconds and without Python. Where more than the content
        of tables differs, or where Postfix would not notice new tables by itself (O(map_type=texthash)), nothing is
        written and RV(activation) is empty. The next run with O(state=present) removes what was never used.
    type: str
    choices: [present, absent, staged]
    default: present
  flush:
    description:
      - Whether Postfix tries all waiting mail again at the end. A mail that was refused because of its login would
        otherwise wait up to 66 minutes.
      - V(always) does so even if nothing was changed here, for example after the password was changed at the vendor. It
        reloads Postfix before, so that a client that could not open a table for a while opens it again.
    type: str
    choices: [changed, always, never]
    default: changed
  ignore_host_manager:
    description:
      - If V(true), the host is configured although a panel (such as Plesk, cPanel or ISPConfig) or another mail server
        (such as Exim or Sendmail) seems to manage its mail. By default such a host is left alone and the module fails.
      - Only the main instance is checked.
    type: bool
    default: false
notes:
  - What was there before is remembered in C(smarthost_originals.json) in the configuration directory, readable by root
    only and without passwords. It is removed with O(state=absent).
  - If a value of ours has been changed by hand since, O(state=present) sets it again and remembers the changed value as
    the one to bring back. With O(state=absent) it is left alone. Both with a warning.
  - A permanent refusal without a login (530, 534, 535, 538) is made a temporary one by
    C(smtp_delivery_status_filter), so a wrong map cannot lose mail. A filter of the administrator stays in force before
    ours.
  - Where C(main.cf), C(master.cf) or a table of ours is a symbolic link, nothing that would put a file in its place is
    done; the module fails and names the target. A link further up, such as C(/etc/postfix) itself, is followed.
  - A password is given only to a server whose certificate was matched, whatever a table of TLS policies or, from
    Postfix 3.10 on, the header C(TLS-Required) asks for; not with O(reveal_password_to_any_server=true). Every
    parameter that this depends on is written where its default could follow another one.
  - What would keep the SMTP client from hearing of C(STARTTLS) and C(AUTH), or from speaking TLS 1.2 or later
    (C(smtp_never_send_ehlo), C(smtp_discard_ehlo_keywords), C(smtp_tls_mandatory_protocols)), is set right. Where a
    table by address, a filter of replies or a certificate that is gone would do that, the module fails, as all mail
    would wait.
  - Mail that tables of the administrator send elsewhere goes on going there. Where that is not possible the module
    fails and lists the entries, with what to write instead.
  - From STARTTLS to TLS before the first word, and back, mail goes the old way until the new one is complete, and no
    mail meets a port in the wrong way.
  - Lookups by sender depend on the envelope sender, not on the header.
  - What is written to C(main.cf), and to a table of type V(texthash), is dated three seconds back, as all programs of
    Postfix wait until these files are two seconds old. It is never dated before the change that was there before.
  - In check mode on a host without Postfix the module reports that everything would be changed.
requirements:
  - Postfix 3.5 or newer with Cyrus SASL and its plugin for PLAIN or LOGIN (C(libsasl2-modules), C(cyrus-sasl-plain))
extends_documentation_fragment:
  - smarthost.spamexperts._failure
  - smarthost.spamexperts._failure.HOST
  - smarthost.spamexperts._postfix
  - smarthost.spamexperts._postfix.relay
  - smarthost.spamexperts._smarthost
  - smarthost.spamexperts._smarthost.ca
  - smarthost.spamexperts._attributes
author:
  - smarthost.spamexperts maintainers (@smarthost)
"""

EXAMPLES = r"""
- name: One login for all mail of this host
  smarthost.spamexperts.postfix_relay:
    default_login: web1@example.com
    default_password: "{{ vault_web1_password }}"

- name: The same where a firewall lets out nothing but port 465
  smarthost.spamexperts.postfix_relay:
    smarthost_port: 465
    default_login: web1@example.com
    default_password: "{{ vault_web1_password }}"

- name: A login for each sender domain, another one for the rest and for bounces
  smarthost.spamexperts.postfix_relay:
    default_login: server@example.com
    default_password: "{{ vault_server_password }}"
    logins:
      - login: shop@example.net
        password: "{{ vault_shop_password }}"
        senders: ["@example.net"]
      - login: ceo@example.com
        password: "{{ vault_ceo_password }}"
        senders: [ceo@example.com, assistant@example.com]

- name: Mail of cron and root leaves as the login, as the smarthost does not know root@web1.internal
  smarthost.spamexperts.postfix_relay:
    default_login: server@example.com
    default_password: "{{ vault_server_password }}"
    system_sender: true

- name: Each mail says who has logged in here, so that the vendor can lock a single person
  smarthost.spamexperts.postfix_relay:
    default_login: server1@out.example.com
    default_password: "{{ vault_server_password }}"
    identity: true

- name: The smarthost knows this host by its address
  smarthost.spamexperts.postfix_relay:
    authentication: ip

- name: Only the newsletter goes through the smarthost, all other mail directly
  smarthost.spamexperts.postfix_relay:
    only_named_senders: true
    logins:
      - login: newsletter@example.com
        password: "{{ vault_newsletter_password }}"
        senders: [newsletter@example.com]

- name: Put a new password beside the one in use
  smarthost.spamexperts.postfix_relay:
    state: staged
    default_login: web1@example.com
    default_password: "{{ vault_web1_next_password }}"
  register: relay

- name: Use it now
  ansible.builtin.raw: "{{ relay.activation }}"
  when: relay.activation | length > 0
  changed_when: true

- name: Bring back what was there before
  smarthost.spamexperts.postfix_relay:
    state: absent
"""

RETURN = r"""
activation:
  description: The shell command that puts the staged tables in use; empty where nothing could be staged.
  returned: O(state=staged)
  type: str
  sample: mv -f /etc/postfix/smarthost_passwords.next.db /etc/postfix/smarthost_passwords.db
config_directory:
  description: The configuration directory of the instance.
  returned: when Postfix is installed
  type: str
  sample: /etc/postfix
next_hop:
  description: The smarthost as Postfix writes it.
  returned: O(state=present) or O(state=staged)
  type: str
  sample: "[4489.smtp.antispamcloud.com]:587"
map_type:
  description: The type of the lookup tables.
  returned: O(state=present) or O(state=staged), when Postfix is installed
  type: str
  sample: hash
changes:
  description: Names of the parameters, services and files that were changed, or would be.
  returned: when Postfix is installed
  type: list
  elements: str
  sample: [/etc/postfix/smarthost_passwords, relayhost]
running:
  description: Whether Postfix runs. If not, it uses the configuration when it is started.
  returned: when Postfix is installed
  type: bool
  sample: true
reloaded:
  description: Whether Postfix was reloaded.
  returned: when Postfix is installed
  type: bool
  sample: true
flushed:
  description: Whether Postfix was told to try all waiting mail again.
  returned: when Postfix is installed
  type: bool
  sample: true
failure:
  description:
    - Why, in a word for programs. The notes say what C(code) can be.
    - Here also V(host_managed) where the mail of the host belongs to a panel or to another mail server.
  returned: failure
  type: dict
  sample: {code: conflict}
"""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

from ..module_utils._module import SecretSafeModule
from ..module_utils._names import InputError
from ..module_utils._postfix import daemons, exim, files, host_manager, maps, staging
from ..module_utils._postfix.apply import Outcome, apply
from ..module_utils._postfix.changes import Plan
from ..module_utils._postfix.commands import Instance, PostfixError
from ..module_utils._postfix.module import INSTANCE_OPTIONS, find_instance, names_main_instance
from ..module_utils._postfix.options import RELAY_OPTIONS
from ..module_utils._postfix.parameters import PASSWORDS_FILE
from ..module_utils._postfix.plan import plan_absent, plan_present
from ..module_utils._postfix.settings import RelaySettings, settings_from
from ..module_utils._smarthost.options import AUTHORITY_OPTIONS, PLACE_OPTIONS

ARGUMENTS: dict[str, dict[str, Any]] = {
    "state": {"type": "str", "choices": ["present", "absent", "staged"], "default": "present"},
    **PLACE_OPTIONS,
    **AUTHORITY_OPTIONS,
    **RELAY_OPTIONS,
    **INSTANCE_OPTIONS,
    "flush": {"type": "str", "choices": ["changed", "always", "never"], "default": "changed"},
    "ignore_host_manager": {"type": "bool", "default": False},
}


def main() -> None:
    """Run the module."""
    module = SecretSafeModule(
        argument_spec=ARGUMENTS,
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except (PostfixError, InputError) as error:
        module.fail_json(msg=str(error), code=error.code)
    except OSError as error:
        place = error.filename or "a file"
        module.fail_json(msg=f"{place} cannot be written or read: {error.strerror}.", code="file_error")
    module.exit_json(**result)


def run(module: SecretSafeModule) -> dict[str, Any]:
    """Do what the options say and return the result."""
    options = module.params
    staged = options["state"] == "staged"
    settings = None if options["state"] == "absent" else settings_from(options)
    result: dict[str, Any] = {"next_hop": settings.next_hop} if settings else {}
    if module.get_bin_path("postconf") is None:
        if settings is None:
            warn_of_leftover_passwords(module)
            return {"changed": False}
        if module.check_mode:
            module.warn("Postfix is not installed here; after its installation everything would be changed.")
            return {"changed": True, **result, **({"activation": ""} if staged else {})}
        raise PostfixError(
            "Postfix is not installed on this host; install it first, or leave this host out.", "not_installed"
        )
    instance = find_instance(module)
    if settings and not options["ignore_host_manager"] and names_main_instance(module):
        objection = host_manager.objection()
        if objection:
            advice = "Set ignore_host_manager=true to configure Postfix all the same."
            raise PostfixError(f"{objection} {advice}", "host_managed")
    with nullcontext() if module.check_mode else files.lock(instance.config_directory):
        plan = make_plan(instance, settings)
        if staged:
            outcome = stage(instance, plan, write=not module.check_mode)
        else:
            outcome = carry_out(instance, plan, options["flush"], write=not module.check_mode)
    if settings is None and names_main_instance(module):
        plan.warnings += exim.way_back()
    if settings is None and not module.check_mode:
        plan.warnings += not_the_same_bytes(instance, plan)
    for warning in plan.warnings:
        module.warn(warning)
    result.update(config_directory=instance.config_directory, **outcome)
    if settings:
        result["map_type"] = plan.kind
    if module._diff:
        names = result["changes"]
        result["diff"] = {side: {n: getattr(plan, side)[n] for n in names} for side in ("before", "after")}
    return result


def not_the_same_bytes(instance: Instance, plan: Plan) -> list[str]:
    """Say where a file, of which everything of ours is gone, is not what it was before the first run, byte for byte."""
    return [
        f"{name} says again what it said, but is not the same byte for byte: what was set twice there, or with other "
        "blanks or line ends, is written in postconf's way, and what was edited since stays."
        for name, digest in plan.remembered_before.digests.items()
        if files.digest(instance.path(name)) != digest
    ]


def make_plan(instance: Instance, settings: RelaySettings | None) -> Plan:
    """Plan the wanted state; no settings mean that nothing of ours should remain."""
    return plan_present(instance, settings) if settings else plan_absent(instance)


def stage(instance: Instance, plan: Plan, *, write: bool) -> dict[str, Any]:
    """Put the tables that differ beside those in use, and say how to use them."""
    tables = staging.stageable(plan)
    missing = staging.missing(instance, tables)
    for table in missing if write else ():
        maps.install(instance, table, {})
    return {
        "changed": bool(missing),
        "changes": sorted(table.path for table in tables),
        "running": instance.is_running(),
        "reloaded": False,
        "flushed": False,
        "activation": staging.activation(tables),
    }


def warn_of_leftover_passwords(module: SecretSafeModule) -> None:
    """Without Postfix there is no way back; what its package leaves behind when it is removed has passwords in it."""
    folder = Path(module.params["config_directory"] or "/etc/postfix")
    leftovers = sorted(str(path) for path in folder.glob(f"{PASSWORDS_FILE}*"))
    if leftovers:
        module.warn(
            f"Postfix is not installed here any more, and its passwords are still in {', '.join(leftovers)}; remove "
            "these files, or install Postfix and run this again."
        )


def carry_out(instance: Instance, plan: Plan, flush: str, *, write: bool) -> dict[str, Any]:
    """Apply the plan if it changes anything, and let Postfix try waiting mail again if wanted."""
    outcome = apply(instance, plan) if write and plan.changed else Outcome(instance.is_running())
    flushed = write and outcome.running and (flush == "always" or (flush == "changed" and plan.changed))
    if flushed and flush == "always" and not outcome.reloaded:
        # A client that met a table while it could not be opened does not try again by itself.
        daemons.reload_and_wait(instance)
        outcome.reloaded = True
    if flushed:
        instance.flush()
    return {
        "changed": plan.changed,
        "changes": sorted(plan.before),
        "running": outcome.running,
        "reloaded": outcome.reloaded,
        "flushed": flushed,
    }


if __name__ == "__main__":
    main()
