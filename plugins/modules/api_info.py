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
  - smarthost.spamexperts._failure
  - smarthost.spamexperts._failure.API
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

- name: Show what else is on its help page, and what the list shows
  ansible.builtin.debug:
    msg: "{{ {'help_calls': api.help_calls, 'list_fields': api.list_fields} | to_nice_yaml }}"
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
    - A proposal is a guess by the names on the help page, for you to check. No task uses it unless you give it, except
      that O(use_discovered_methods) uses those whose names are known.
  returned: success
  type: dict
  sample: {"list": {"call": "outgoingusers/list", "parameters": {"domain": "domain"}}}
help_calls:
  description:
    - The calls on the server's help page that this collection does not use, with the names of their parameters; those
      that are about something else than outgoing users stand last.
    - Where RV(api_methods) lacks an operation, the call for it may be here under another name.
  returned: success
  type: list
  elements: dict
  sample:
    - call: senders/quota
      parameters: [zone, name, hour]
  contains:
    call:
      description: The call.
      type: str
      returned: always
      sample: senders/quota
    parameters:
      description: The names of its parameters, as the help page shows them.
      type: list
      elements: str
      returned: always
      sample: [zone, name, hour]
list_fields:
  description:
    - The names of the fields in the answer of the list, never a value. Empty where there is no list, or nobody in it.
  returned: success
  type: list
  elements: dict
  sample:
    - field: frozen
      meaning: ""
    - field: username
      meaning: username
  contains:
    field:
      description: The name in the answer.
      type: str
      returned: always
      sample: frozen
    meaning:
      description: What it is taken for. Empty where it is not understood; C(fields) of O(api_methods) can name it.
      type: str
      returned: always
      sample: locked
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
failure:
  description: Why, in a word for programs. The notes say what C(code) can be.
  returned: failure
  type: dict
  sample: {code: credentials}
"""

from ..module_utils._api.client import ApiError, Client, ErrorKind
from ..module_utils._api.options import API_OPTIONS
from ..module_utils._api.session import NOT_SHOWN, account_domains, api_session, help_page
from ..module_utils._module import SecretSafeModule
from ..module_utils._names import InputError, normalise_domain
from ..module_utils._users.current import is_without_list
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
from ..module_utils._users.proposals import field_names, not_understood, propose

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


#: So many domains are asked for one that has users.
MOST_DOMAINS = 3


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


def _some_domains(client: Client) -> list[str]:
    try:
        return account_domains(client)[:MOST_DOMAINS]
    except ApiError as error:
        if error.kind not in NOT_SHOWN:
            raise
        return []


def list_fields(client: Client, methods: Methods) -> list[dict[str, str]]:
    """The names of the fields that the list shows; none where no domain of the account has a user among the first.

    A list that the help page shows and that this caller may not read is withdrawn: nothing of it works.
    """
    method = methods.find(LIST)
    if method is None:
        return []
    try:
        for domain in _some_domains(client) if "domain" in method.parameters else [""]:
            pairs = method.encode({"domain": normalise_domain(domain)} if domain else {})
            fields = field_names(client.call(method.call, pairs, write=False).result, method)
            if fields:
                return fields
    except ApiError as error:
        if not is_without_list(methods, error) and error.kind not in NOT_SHOWN:
            raise
    return []


def main() -> None:
    """Run the module."""
    module = SecretSafeModule(argument_spec=API_OPTIONS, supports_check_mode=True)
    params = module.params
    try:
        with api_session(module) as client:
            methods = Methods(params["api_methods"], params["use_discovered_methods"], help_page(client))
            fields = list_fields(client, methods)
            proposals = propose(methods)
            module.exit_json(
                changed=False,
                version=first_text(client, "version/get"),
                role=first_text(client, "auth/getrole"),
                methods=methods.table(proposals),
                api_methods=methods.block(proposals),
                help_calls=not_understood(methods),
                list_fields=fields,
                works={name: all(map(methods.find, needs)) for name, needs in CAPABILITIES.items()},
            )
    except (InputError, MethodError, ApiError) as problem:
        module.fail_json(msg=str(problem), code=problem.code)


if __name__ == "__main__":
    main()
