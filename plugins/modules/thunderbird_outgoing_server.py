#!/usr/bin/python
# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: thunderbird_outgoing_server
short_description: Manage an outgoing server (SMTP) and its saved password in Thunderbird profiles
version_added: 1.0.0
description:
  - Adds, changes or removes one outgoing server in the profiles that people already use, together with its password in
    the saved logins, without starting Thunderbird.
  - The person's own servers, accounts, preferences and other saved logins stay as they are. The server gets an entry of
    its own, named by O(entry), and what it takes the place of (the default server, the server of an identity) is
    remembered in the profile, so that O(state=absent) gives it back.
  - The password is saved in the same way as Thunderbird does it, with the NSS library of the Thunderbird that uses the
    profile. Whether it has to change is decided by decrypting what is there.
  - A profile is never written while Thunderbird uses it. A profile that is already as wanted may be in use.
  - A profile is refused where its C(user.js) or a policy sets C(mail.smtpservers), C(mail.smtp.defaultserver) or the
    C(smtpServer) of an identity to something else, as the next start of Thunderbird would undo the server and people
    could no longer send. Name O(entry) there as well.
  - A run that is killed loses nothing; the next one finishes it, and removes what it has left.
  - Every profile is read and written with the rights of its owner. To configure other people's profiles, run the module
    as root.
  - Works on Linux, with Thunderbird from a package, an archive, a snap or a flatpak. The latter two keep their library
    in a place of their own, which has not been tried on every distribution; O(nss_library) names another one.
extends_documentation_fragment:
  - smarthost.spamexperts._failure
  - smarthost.spamexperts._failure.HOST
  - smarthost.spamexperts._smarthost
  - smarthost.spamexperts._attributes
options:
  state:
    description:
      - With V(present) the server is there as described.
      - With V(absent) everything that this module has added for O(entry) is gone, and what it had taken the place of is
        back. A profile that was created stays, as it may hold mail by now, and so does the preference that has
        Thunderbird copy the saved logins into its newer store. A password that the person had already saved
        for the same host and login stays, too.
    type: str
    choices:
      - present
      - absent
    default: present
  profile:
    description:
      - Directory of one profile.
      - Exactly one of O(profile), O(users) and O(all_users) is needed.
    type: path
  users:
    description:
      - Login names of people on this host. Of each of them the profiles that their Thunderbird really uses are
        configured, as their C(profiles.ini) tells it.
      - They all get the same O(login). For a login each, use one task for each person.
    type: list
    elements: str
  all_users:
    description:
      - Everybody on this host with a user number from 1000 on and a home directory. People from a directory service
        count only if the system lists them.
    type: bool
    default: false
  all_profiles:
    description:
      - With O(users) and O(all_users), every profile that C(profiles.ini) names, and not only those in use.
    type: bool
    default: false
  create_profile:
    description:
      - Whether a person who has never started Thunderbird gets a profile, which their Thunderbird will use from its
        first start on. It has the outgoing server, but no account yet.
      - No profile is made where any kind of Thunderbird has one already.
      - The default is V(true) with O(users) and V(false) with O(all_users).
    type: bool
  entry:
    description:
      - Name of the server's entry in the profile. Tells this server from the person's own ones and from others of this
        module. It does not appear in Thunderbird's dialogues.
      - Lower-case letters, digits and underscores. Names that Thunderbird gives itself, such as V(smtp1), are refused.
    type: str
    default: spamexperts
  description:
    description:
      - What Thunderbird shows as the server's description.
    type: str
    default: Smarthost
  authentication:
    description:
      - With V(password), Thunderbird logs in as O(login), what it calls a normal password.
      - With V(none), it does not log in, which is for smarthosts that know the network that the mail comes from.
    type: str
    choices:
      - password
      - none
    default: password
  login:
    description:
      - Name to log in with, such as V(info@example.com). Needed unless O(authentication=none).
    type: str
  password:
    description:
      - Password to log in with. It is saved in the profile, and replaces one that is saved for the same host and login.
      - If not given, Thunderbird asks the person once, and whatever is saved stays.
    type: str
  default_server:
    description:
      - Whether the server is the default one, which serves every identity that has none of its own.
      - If not given, this stays as it is. With V(false), the former default server is put back.
    type: bool
  identities:
    description:
      - Addresses of the identities that send through this server; all others that did so get their former server back.
      - If not given, this stays as it is. An address that no identity of the profile has is warned of.
    type: list
    elements: str
  primary_password:
    description:
      - The primary password of the profile, if it has one. Not used for profiles without.
    type: str
  wait_for_close:
    description:
      - Seconds to wait for a running Thunderbird to be closed, for each profile, before it is refused.
    type: int
    default: 0
  program_directory:
    description:
      - Directory that Thunderbird is installed in, if it is none of the usual ones, such as V(/srv/thunderbird).
    type: path
  nss_library:
    description:
      - The NSS library to save the password with, such as V(/srv/thunderbird/libnss3.so).
      - If not given, it is the one of the Thunderbird that used the profile last, else of an installed one, else of the
        system.
    type: path
notes:
  - A password is encrypted with 3DES, which every Thunderbird reads, unless the profile already has one that is
    encrypted with AES, as newer ones write it (153 does, 140 does not). An older Thunderbird that meets a single AES
    entry shows no password at all.
  - Tested with Thunderbird 140 and 153. For a profile that a newer one has used there is a warning.
  - Two servers on the same host with the same login share one saved password. That is how Thunderbird stores it.
  - For a smarthost whose certificate is signed by a private authority, see
    M(smarthost.spamexperts.thunderbird_certificate_authority).
seealso:
  - module: smarthost.spamexperts.thunderbird_certificate_authority
  - module: smarthost.spamexperts.outgoing_user
author:
  - smarthost.spamexperts maintainers (@smarthost)
"""

EXAMPLES = r"""
- name: Let Alice send as info@example.com through the smarthost
  smarthost.spamexperts.thunderbird_outgoing_server:
    users:
      - alice
    smarthost: 4489.smtp.antispamcloud.com
    login: info@example.com
    password: "{{ vault_info_password }}"
    identities:
      - info@example.com
    wait_for_close: 60
  become: true

- name: Make the smarthost the default server of one profile that has a primary password
  smarthost.spamexperts.thunderbird_outgoing_server:
    profile: /home/bob/.thunderbird/abcd1234.default-release
    login: bob@example.com
    password: "{{ vault_bob_password }}"
    primary_password: "{{ vault_bob_primary_password }}"
    description: Example GmbH
    default_server: true
  become: true

- name: The smarthost knows our network, so nobody needs a password
  smarthost.spamexperts.thunderbird_outgoing_server:
    all_users: true
    authentication: none
    default_server: true
  become: true

- name: Take the server, its password and the identities' use of it away
  smarthost.spamexperts.thunderbird_outgoing_server:
    users:
      - alice
    state: absent
  become: true
"""

RETURN = r"""
profiles:
  description: What was done in each profile, or would be in check mode.
  returned: always
  type: list
  elements: dict
  sample:
    - user: alice
      path: /home/alice/.thunderbird/abcd1234.default-release
      new_profile: false
      action: created
      reason: ""
  contains:
    user:
      description: Login name of the profile's owner.
      returned: always
      type: str
      sample: alice
    path:
      description:
        - Directory of the profile.
        - V(null) for one that check mode would create, and for a person who was refused before a profile was there.
      returned: always
      type: str
      sample: /home/alice/.thunderbird/abcd1234.default-release
    new_profile:
      description: Whether the profile itself is new.
      returned: always
      type: bool
      sample: false
    action:
      description: V(created), V(updated), V(removed), V(unchanged), or V(failed) where nothing could be done.
      returned: always
      type: str
      sample: created
    reason:
      description: Why it failed; empty otherwise.
      returned: always
      type: str
      sample: ""
    code:
      description: Why it failed, in one of the words for RV(failure).
      returned: when the profile failed
      type: str
      sample: in_use
failure:
  description:
    - Why, in a word for programs. The notes say what C(code) can be.
    - Here also V(not_found) where there is no such person or profile, V(primary_password) where that is missing or
      wrong, and V(unexpected) where the work on a profile was ended. It is the one that all profiles that failed have,
      or V(several_reasons).
  returned: failure
  type: dict
  sample: {code: in_use}
"""

from pathlib import Path
from typing import Any

from ..module_utils._module import SecretSafeModule
from ..module_utils._names import IMPLICIT, STARTTLS, InputError, begins_with_tls, port_warnings
from ..module_utils._smarthost.options import PLACE_OPTIONS
from ..module_utils._thunderbird.errors import ThunderbirdError, code_of, sentence
from ..module_utils._thunderbird.profile import Wanted
from ..module_utils._thunderbird.server import (
    AUTHENTICATIONS,
    OutgoingServer,
    has_control_character,
    validate,
    validate_entry,
)
from ..module_utils._thunderbird.targets import Edit, Result, edit_path, edit_person, failed, people

ARGUMENTS: dict[str, Any] = {
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "profile": {"type": "path"},
    "users": {"type": "list", "elements": "str"},
    "all_users": {"type": "bool", "default": False},
    "all_profiles": {"type": "bool", "default": False},
    "create_profile": {"type": "bool"},
    "entry": {"type": "str", "default": "spamexperts"},
    **PLACE_OPTIONS,
    "description": {"type": "str", "default": "Smarthost"},
    "authentication": {"type": "str", "choices": list(AUTHENTICATIONS), "default": "password"},
    "login": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "default_server": {"type": "bool"},
    "identities": {"type": "list", "elements": "str"},
    "primary_password": {"type": "str", "no_log": True},
    "wait_for_close": {"type": "int", "default": 0},
    "program_directory": {"type": "path"},
    "nss_library": {"type": "path"},
}


def wanted_of(params: dict[str, Any]) -> Wanted:
    """What every profile should have; InputError where the options do not fit together."""
    # Not left to ansible-core, to which all_users is always given, as it has a default.
    named = bool(params["profile"]) + (params["users"] is not None) + params["all_users"]
    if named != 1:
        raise InputError(
            f"{'more than one' if named else 'none'} of profile, users and all_users says whose profiles are meant; "
            "give exactly one of them"
        )
    validate_entry(params["entry"])
    if params["state"] == "absent":
        return Wanted(params["entry"], None)
    logs_in = params["authentication"] == "password"
    if logs_in and not params["login"]:
        raise InputError("authentication is password, so login is needed: the name to log in with")
    if not logs_in and params["password"]:
        raise InputError("authentication is none, so there is no use for password; leave one of them out")
    password = params["password"]
    if password == "" or (password and has_control_character(password)):
        raise InputError("password is empty or has a control character, with which nobody can log in")
    server = OutgoingServer(
        host=params["smarthost"],
        port=params["smarthost_port"],
        encryption=IMPLICIT if begins_with_tls(params["smarthost_port"], params["smarthost_tls"]) else STARTTLS,
        authentication=params["authentication"],
        login=params["login"] or "",
        description=params["description"],
    )
    return Wanted(params["entry"], validate(server), password, params["default_server"], params["identities"])


def edit_all(params: dict[str, Any], edit: Edit) -> list[Result]:
    """Edit every profile that the options name; one that is refused does not keep the others from it."""
    if params["profile"]:
        return edit_path(Path(params["profile"]), edit)
    names = people() if params["all_users"] else params["users"]
    create = not params["all_users"] if params["create_profile"] is None else params["create_profile"]
    results: list[Result] = []
    for name in names:
        try:
            results += edit_person(name, edit, every=params["all_profiles"], create=create)
        except ThunderbirdError as error:
            results.append({"user": name, "path": None, "new_profile": False, **failed(error)})
    return results


def main() -> None:
    """Run the module."""
    module = SecretSafeModule(
        argument_spec=ARGUMENTS,
        supports_check_mode=True,
    )
    params = module.params
    try:
        edit = Edit(
            wanted=wanted_of(params),
            nss_library=params["nss_library"] or "",
            program_directory=params["program_directory"] or "",
            primary_password=params["primary_password"] or "",
            wait_for_close=params["wait_for_close"],
            check=module.check_mode,
        )
        results = edit_all(params, edit)
    except InputError as problem:
        module.fail_json(msg=str(problem), code=problem.code, profiles=[])
    except (ThunderbirdError, OSError) as error:
        module.fail_json(msg=sentence(error), code=code_of(error), profiles=[])
    failures = [result for result in results if result["action"] == "failed"]
    for warning in port_warnings(params["smarthost_port"]) if params["state"] == "present" else ():
        module.warn(warning)
    done = [result for result in results if result["action"] in {"created", "updated", "removed"}]
    for result in results:
        for warning in result.get("warnings", []):
            module.warn(warning)
    shown = ("user", "path", "new_profile", "action", "code")
    report: dict[str, Any] = {
        "changed": bool(done),
        "profiles": [
            {**{name: result[name] for name in shown if name in result}, "reason": result.get("reason", "")}
            for result in results
        ],
        "diff": [
            {
                "before_header": f"{result['path'] or 'new profile'} (before)",
                "after_header": f"{result['path'] or 'new profile'} (after)",
                "before": result["before"],
                "after": result["after"],
            }
            for result in done
        ],
    }
    if failures:
        reasons = "; ".join(f"{result['path'] or result['user']}: {result['reason']}" for result in failures)
        codes = {result["code"] for result in failures}
        counted = f"{len(failures)} of {len(results)} profiles were not changed: " if len(results) > 1 else ""
        module.fail_json(msg=counted + reasons, code=codes.pop() if len(codes) == 1 else "several_reasons", **report)
    module.exit_json(**report)


if __name__ == "__main__":
    main()
