#!/usr/bin/python
# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: thunderbird_certificate_authority
short_description: Let Thunderbird trust a private certificate authority
version_added: 1.0.0
description:
  - Names the file of a certificate authority in Thunderbird's enterprise policies, for everybody on the host, and keeps
    what else is in the policies file.
  - Needed only where the smarthost's certificate is signed by an authority of your own. Thunderbird does not use the
    authorities of the operating system.
  - Thunderbird adds the authority to each profile when it is started the next time. With O(state=absent) the policy is
    gone, but profiles that have started with it still trust the authority, until it is deleted in Thunderbird.
  - Works for Thunderbird from a package or an archive. A snap or a flatpak may read other policies.
extends_documentation_fragment:
  - smarthost.spamexperts._failure
  - smarthost.spamexperts._failure.HOST
  - smarthost.spamexperts._attributes
options:
  state:
    description:
      - Whether the policies name the authority.
      - V(absent) takes the path out, whoever has put it there. A policies file in which nothing is left is removed.
    type: str
    choices:
      - present
      - absent
    default: present
  path:
    description:
      - Absolute path of a file on the host with the certificate of one authority (PEM). Everybody must be able to read
        it, and it has to stay there.
    type: str
    required: true
  policies_path:
    description:
      - The policies file.
      - If not given, it is the one that Thunderbird reads, C(/etc/thunderbird/policies/policies.json), or
        C(distribution/policies.json) in the program's directory if only that exists.
    type: path
  program_directory:
    description:
      - Directory that Thunderbird is installed in, if it is none of the usual ones, such as V(/srv/thunderbird).
    type: path
seealso:
  - module: smarthost.spamexperts.thunderbird_outgoing_server
author:
  - smarthost.spamexperts maintainers (@smarthost)
"""

EXAMPLES = r"""
- name: Trust the authority that has signed the certificate of our own smarthost
  smarthost.spamexperts.thunderbird_certificate_authority:
    path: /usr/local/share/ca-certificates/example.crt
  become: true

- name: Do not name it any more
  smarthost.spamexperts.thunderbird_certificate_authority:
    path: /usr/local/share/ca-certificates/example.crt
    state: absent
  become: true
"""

RETURN = r"""
policies_path:
  description: The policies file that names the authority, or does not.
  returned: success
  type: str
  sample: /etc/thunderbird/policies/policies.json
failure:
  description: Why, in a word for programs. The notes say what C(code) can be.
  returned: failure
  type: dict
  sample: {code: invalid_options}
"""

import os
from pathlib import Path

from ..module_utils._module import Module
from ..module_utils._names import InputError
from ..module_utils._thunderbird import files, policies
from ..module_utils._thunderbird.errors import ThunderbirdError, code_of, sentence


def main() -> None:
    """Run the module."""
    module = Module(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "path": {"type": "str", "required": True},
            "policies_path": {"type": "path"},
            "program_directory": {"type": "path"},
        },
        supports_check_mode=True,
    )
    present = module.params["state"] == "present"
    try:
        if present:
            policies.require_authority(Path(module.params["path"]))
        path = Path(module.params["policies_path"] or policies.policies_file(module.params["program_directory"] or ""))
        target = Path(os.path.realpath(path))  # a link stays one
        before = files.read(target)
        after = policies.merge(before, module.params["path"], present=present)
        if not module.check_mode:
            files.clean_up(target.parent)  # what a run that was killed has left
            if after != before:
                policies.replace(target, after)
    except InputError as problem:
        module.fail_json(msg=str(problem), code=problem.code)
    except (ThunderbirdError, OSError) as error:
        module.fail_json(msg=sentence(error), code=code_of(error))
    difference = {
        "before_header": str(path),
        "after_header": str(path),
        "before": (before or b"").decode(),
        "after": (after or b"").decode(),
    }
    module.exit_json(changed=after != before, policies_path=str(path), diff=difference)


if __name__ == "__main__":
    main()
