#!/usr/bin/python
# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show what the API of this server offers."""

from __future__ import annotations

DOCUMENTATION = r"""
module: api_info
short_description: Show which API methods a server offers, and what works because of it
version_added: 1.0.0
description:
  - Logs in to the Control Panel API and shows its version, the role of the caller, and the resolved method table.
  - Only a part of the vendor's API is documented in public. This module reads the server's own help page and shows,
    for each operation, which call is used and where that knowledge is from.
  - Returns the block for O(api_methods) that names everything the help page shows, ready to check and paste.
  - A good first task, as it also proves the connection and the credentials.
author:
  - smarthost.spamexperts maintainers (@smarthost)
extends_documentation_fragment:
  - smarthost.spamexperts._attributes.INFO
  - smarthost.spamexperts._attributes.API
  - smarthost.spamexperts._api
seealso:
  - module: smarthost.spamexperts.outgoing_users
"""

EXAMPLES = r"""
- name: What does this server offer?
  smarthost.spamexperts.api_info:
  register: api

- name: Show the block to paste
  ansible.builtin.debug:
    msg: "{{ {'api_methods': api.api_methods} | to_nice_yaml }}"
"""

RETURN = r"""
version:
  description: The version that the server names, empty where it names none.
  returned: success
  type: str
  sample: "115655.20170425"
role:
  description: The role of the caller, empty where the server does not say.
  returned: success
  type: str
  sample: admin
methods:
  description: The method table, one entry for each operation.
  returned: success
  type: list
  elements: dict
  sample:
    - operation: list
      offered: true
      source: discovered
      call: outgoingusers/list
      parameters: {"domain": "domain"}
  contains:
    operation:
      description: What is to be done.
      type: str
      returned: always
      sample: list
    offered:
      description: Whether the collection uses a call for it on this server.
      type: bool
      returned: always
      sample: true
    source:
      description: Where the knowledge is from, V(given), V(documented), V(discovered), V(proposed) or V(missing).
      type: str
      returned: always
      sample: discovered
    call:
      description: The call, empty where none is known.
      type: str
      returned: always
      sample: outgoingusers/list
    parameters:
      description: The names of this collection and the names on the wire.
      type: dict
      returned: always
      sample: {"domain": "domain"}
api_methods:
  description:
    - What is given, discovered and proposed beyond the documented calls, in the form of the option O(api_methods).
  returned: success
  type: dict
  sample: {"list": {"call": "outgoingusers/list", "parameters": {"domain": "domain"}}}
works:
  description: What of this collection works with this server.
  returned: success
  type: dict
  sample:
    create_users: true
    remove_users: true
    read_users: true
    change_passwords: false
    change_limits: false
    change_settings: false
    lock_users: false
    purge: true
"""

from ..module_utils._api.client import ApiError, Client, ErrorKind
from ..module_utils._api.options import API_OPTIONS
from ..module_utils._api.session import api_session, help_page
from ..module_utils._module import SecretSafeModule
from ..module_utils._names import InputError
from ..module_utils._users.methods import (
    ADD,
    ADD_IP,
    LIST,
    LOCK,
    REMOVE,
    SET_LIMITS,
    SET_PASSWORD,
    SET_SETTINGS,
    UNLOCK,
    MethodError,
    Methods,
)

#: What works -> the operations that it needs.
CAPABILITIES = {
    "create_users": (ADD, ADD_IP),
    "remove_users": (REMOVE,),
    "read_users": (LIST,),
    "change_passwords": (SET_PASSWORD,),
    "change_limits": (SET_LIMITS,),
    "change_settings": (SET_SETTINGS,),
    "lock_users": (LOCK, UNLOCK),
    "purge": (LIST, REMOVE),
}


def first_text(client: Client, call: str) -> str:
    """The answer of a call that gives one text, or a list with one; empty where the server does not offer it."""
    try:
        result = client.call(call, write=False).result
    except ApiError as error:
        if error.kind not in (ErrorKind.NO_PERMISSION, ErrorKind.UNSUPPORTED, ErrorKind.NOT_FOUND, ErrorKind.OTHER):
            raise
        return ""
    if isinstance(result, list) and result:
        result = result[0]
    return str(result) if isinstance(result, (str, int, float)) else ""


def main() -> None:
    """Run the module."""
    module = SecretSafeModule(argument_spec=API_OPTIONS, supports_check_mode=True)
    params = module.params
    try:
        with api_session(module) as client:
            methods = Methods(params["api_methods"], params["use_discovered_methods"], help_page(client))
            module.exit_json(
                changed=False,
                version=first_text(client, "version/get"),
                role=first_text(client, "auth/getrole"),
                methods=methods.table(),
                api_methods=methods.block(),
                works={name: all(map(methods.find, needs)) for name, needs in CAPABILITIES.items()},
            )
    except (InputError, MethodError, ApiError) as problem:
        module.fail_json(msg=str(problem))


if __name__ == "__main__":
    main()
