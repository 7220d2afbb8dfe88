#!/usr/bin/python
# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show as what people's Thunderbird sends through the smarthost."""

from __future__ import annotations

DOCUMENTATION = r"""
module: thunderbird_outgoing_server_info
short_description: Show as what people's Thunderbird sends through the smarthost
version_added: 1.0.0
description:
  - Shows the logins with which the Thunderbird profiles of the people on this host send through O(smarthost), whoever
    entered them there.
  - Each profile is read with the rights of the person whose it is. A running Thunderbird is not disturbed.
options:
  users:
    description:
      - Login names of the people. If not given, everybody who has a home directory.
    type: list
    elements: str
  smarthost:
    description:
      - Name of the outgoing server, as the profiles have it.
    type: str
    default: 4489.smtp.antispamcloud.com
  passwords:
    description:
      - Whether to return the saved passwords as well. Refused for a task without C(no_log=true).
      - It is for M(smarthost.spamexperts.import_site), which puts them into the credential store. A password behind a
        primary password cannot be read.
    type: bool
    default: false
  program_directory:
    description:
      - Directory that Thunderbird is installed in, if it is none of the usual ones, such as V(/srv/thunderbird).
    type: path
  nss_library:
    description:
      - The NSS library to read the passwords with; see M(smarthost.spamexperts.thunderbird_outgoing_server).
    type: path
extends_documentation_fragment:
  - smarthost.spamexperts._failure
  - smarthost.spamexperts._failure.HOST
  - smarthost.spamexperts._attributes.INFO
author:
  - smarthost.spamexperts maintainers (@smarthost)
seealso:
  - module: smarthost.spamexperts.thunderbird_outgoing_server
"""

EXAMPLES = r"""
- name: As what do the people on this computer send?
  smarthost.spamexperts.thunderbird_outgoing_server_info:
  become: true
  register: thunderbird
"""

RETURN = r"""
profiles:
  description: The profiles that send through the smarthost, and those that cannot be read.
  returned: success
  type: list
  elements: dict
  sample:
    - user: alice
      path: /home/alice/.thunderbird/abcd1234.default-release
      servers: [{"login": "alice@example.com", "port": 587}]
      reason: ""
  contains:
    user:
      description: Login name of the profile's owner.
      returned: always
      type: str
      sample: alice
    path:
      description: Directory of the profile; null for a person whose profiles cannot be told apart.
      returned: always
      type: str
      sample: /home/alice/.thunderbird/abcd1234.default-release
    servers:
      description: Its outgoing servers on the smarthost that log in.
      returned: always
      type: list
      elements: dict
      sample: [{"login": "alice@example.com", "port": 587}]
      contains:
        login:
          description: The name that it logs in with.
          returned: always
          type: str
          sample: alice@example.com
        port:
          description: The port.
          returned: always
          type: int
          sample: 587
        password:
          description: The saved password, in base64.
          returned: with O(passwords), where one is saved and can be read
          type: str
          sample: VGhlIHBhc3N3b3Jk
    reason:
      description: What of it cannot be read, and why; empty where all of it can.
      returned: always
      type: str
      sample: ""
failure:
  description: Why, in a word for programs. The notes say what C(code) can be.
  returned: failure
  type: dict
  sample: {code: invalid_options}
"""

from typing import Any

from ..module_utils._module import SecretSafeModule
from ..module_utils._names import InputError, host_name
from ..module_utils._smarthost.options import PLACE_OPTIONS
from ..module_utils._thunderbird.errors import ThunderbirdError, sentence
from ..module_utils._thunderbird.reading import Look, look_at_person
from ..module_utils._thunderbird.targets import people


def look(params: dict[str, Any]) -> list[Look]:
    """The profiles of everybody; one that cannot be read does not keep the others from it. Raises InputError."""
    host = host_name(params["smarthost"])
    looks = []
    for name in people() if params["users"] is None else params["users"]:
        program, library = params["program_directory"] or "", params["nss_library"] or ""
        try:
            looks += look_at_person(name, host, program, library, passwords=params["passwords"])
        except ThunderbirdError as error:
            looks.append({"user": name, "path": None, "servers": [], "reason": sentence(error)})
    return looks


def main() -> None:
    """Run the module."""
    module = SecretSafeModule(
        argument_spec={
            "users": {"type": "list", "elements": "str"},
            "smarthost": PLACE_OPTIONS["smarthost"],
            "passwords": {"type": "bool", "default": False, "no_log": False},
            "program_directory": {"type": "path"},
            "nss_library": {"type": "path"},
        },
        supports_check_mode=True,
    )
    if module.params["passwords"] and not module.no_log:
        reason = "passwords is true, so set no_log: true on this task; otherwise Ansible would show them."
        module.fail_json(msg=reason, code="invalid_options")
    try:
        profiles = look(module.params)
    except InputError as problem:
        module.fail_json(msg=str(problem), code=problem.code)
    module.exit_json(changed=False, profiles=profiles)


if __name__ == "__main__":
    main()
