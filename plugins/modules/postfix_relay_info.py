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
  - Recognises hosts whose mail belongs to a panel (such as Plesk, cPanel or ISPConfig) or to another mail server (such
    as Exim or Sendmail), before anything is installed there.
options:
  config_directory:
    description:
      - Configuration directory of the Postfix instance, for hosts with several.
      - The default is the main instance, usually V(/etc/postfix).
    type: path
  fail_on_objection:
    description:
      - If V(true), the task fails on a host whose mail belongs to a panel or to another mail server.
      - With O(config_directory) nobody objects, because an instance of its own belongs to nobody else.
    type: bool
    default: false
  logins:
    description:
      - Logins that this host is going to have, to learn which of them are new here, before anything is changed. They are
        compared on the host; nothing is returned but their names.
    type: list
    elements: dict
    default: []
    suboptions:
      login:
        description: The login.
        type: str
        required: true
      password:
        description: The password.
        type: str
        required: true
requirements:
  - Python 3.9 or newer
extends_documentation_fragment:
  - smarthost.spamexperts._smarthost
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
    logins:
      - login: web1@example.com
        password: "{{ vault_web1_password }}"
"""

RETURN = r"""
objection:
  description: Why this host had better be left alone, empty if there is no reason.
  returned: always
  type: str
  sample: "Plesk manages the mail of this host and would overwrite what is set here; set the smarthost there."
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
unsettled:
  description:
    - Whether the role P(smarthost.spamexperts.outgoing_mail#role) was interrupted while it installed Postfix, before it
      could restrict it to mail of the host itself. Its next run finishes the work.
  returned: always
  type: bool
  sample: false
new_logins:
  description:
    - Which of O(logins) are new here, that is, this host does not send to O(smarthost) with that login and password yet.
  returned: always
  type: list
  elements: str
  sample: [web1@example.com]
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
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Optional

from ..module_utils._module import SecretSafeModule
from ..module_utils._names import host_name, starttls_port
from ..module_utils._postfix import files, host_manager, maps, originals, password_maps
from ..module_utils._postfix.commands import Instance, PostfixError
from ..module_utils._postfix.module import find_instance, names_main_instance
from ..module_utils._postfix.parameters import PASSWORDS_FILE, ROUTES, SENDERS_FILE
from ..module_utils._postfix.settings import next_hop
from ..module_utils._postfix.surroundings import find_ca_file, has_sasl_plugin
from ..module_utils._smarthost.options import PLACE_OPTIONS

#: Where the role notes that a Postfix which it installs is to be settled.
UNSETTLED = "/var/lib/smarthost-postfix-unsettled"
_PASSWORD_MAPS = "smtp_sasl_password_maps"


def main() -> None:
    """Run the module."""
    login = {"login": {"type": "str", "required": True}, "password": {"type": "str", "required": True, "no_log": True}}
    module = SecretSafeModule(
        argument_spec={
            **PLACE_OPTIONS,
            "logins": {"type": "list", "elements": "dict", "default": [], "options": login},
            "config_directory": {"type": "path"},
            "fail_on_objection": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        result = look(module)
    except (PostfixError, ValueError) as error:
        module.fail_json(msg=str(error))
    except PermissionError as error:
        module.fail_json(msg=f"{error.filename} can be read by root only; run the task with become: true.")
    module.exit_json(changed=False, **result)


def look(module: Any) -> dict[str, Any]:
    """Everything that is returned; raises PostfixError on an objection, if the options say so."""
    objection = host_manager.objection() if names_main_instance(module) else None
    if objection and module.params["fail_on_objection"]:
        raise PostfixError(objection)
    installed = module.get_bin_path("postconf") is not None
    lacking = [] if installed else ["Postfix"]
    if not has_sasl_plugin():
        lacking.append("a plugin of Cyrus SASL for PLAIN or LOGIN")
    try:
        find_ca_file(None)
    except PostfixError:
        lacking.append("a bundle of trusted certificates")
    result: dict[str, Any] = {
        "objection": objection or "",
        "installed": installed,
        "lacking": lacking,
        "unsettled": Path(UNSETTLED).exists(),
        "new_logins": [entry["login"] for entry in module.params["logins"]],
    }
    if installed:
        instance = find_instance(module)
        result.update(look_at_instance(instance), new_logins=new_logins(instance, module.params))
    return result


def new_logins(instance: Instance, params: Mapping[str, Any]) -> list[str]:
    """The names of the logins with which this host does not send to the smarthost yet."""
    there = next_hop(host_name(params["smarthost"]), starttls_port(params["smarthost_port"]))
    remembered = originals.load(instance)
    ways = [remembered.parameters[name].ours for name in ROUTES if name in remembered.parameters]
    if SENDERS_FILE in remembered.files:
        ways += maps.parse(files.read(instance.path(SENDERS_FILE))).values()
    known: set[str] = set()
    if PASSWORDS_FILE in remembered.files and any(way.endswith(there) for way in ways):
        known.update(maps.parse(files.read(instance.path(PASSWORDS_FILE))).values())
    logins = params["logins"]
    return [entry["login"] for entry in logins if f"{entry['login']}:{entry['password']}" not in known]


def look_at_instance(instance: Instance) -> dict[str, Any]:
    """What can be said of an installed Postfix."""
    remembered = originals.load(instance)
    running = instance.is_running()
    entries = maps.parse(files.read(instance.path(PASSWORDS_FILE))) if PASSWORDS_FILE in remembered.files else {}
    settings = instance.effective(["mail_version", _PASSWORD_MAPS])
    return {
        "version": settings["mail_version"],
        "config_directory": instance.config_directory,
        "running": running,
        "default_map_type": instance.default_map_type(),
        "map_types": sorted(set(instance.map_types()) & set(maps.INDEX_SUFFIXES)),
        "managed": not remembered.is_empty,
        "unfinished": remembered.unfinished,
        "logins": [{"key": key, "login": value.partition(":")[0]} for key, value in sorted(entries.items())],
        "other_logins": other_logins(settings[_PASSWORD_MAPS], instance.path(PASSWORDS_FILE)),
        "waiting": waiting(instance) if running else None,
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
