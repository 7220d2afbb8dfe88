#!/usr/bin/python
# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prove that logins work at the smarthost, from the host on which it runs."""

from __future__ import annotations

DOCUMENTATION = r"""
module: smtp_login_info
short_description: Prove that logins work at the smarthost
version_added: 1.0.0
description:
  - Logs in to the smarthost from the host on which the module runs, over verified TLS, and sends no mail.
  - It shows whether a password is the right one, and whether this very host can reach the smarthost.
  - With O(logins[].senders) it also shows whether the login may send their mail, as far as the smarthost says so before
    it has seen the mail.
  - After three refused logins no further one is tried, since the vendor blocks an address whose logins fail often. With
    O(refused_logins) those of earlier tasks count as well.
author:
  - smarthost.spamexperts maintainers (@smarthost)
extends_documentation_fragment:
  - smarthost.spamexperts._failure
  - smarthost.spamexperts._attributes.INFO
  - smarthost.spamexperts._smarthost
  - smarthost.spamexperts._smarthost.ca
  - smarthost.spamexperts._smarthost.ENVIRONMENT
  - smarthost.spamexperts._smarthost.BUDGET
options:
  logins:
    description: The logins to try. The same login may be given with several passwords.
    type: list
    elements: dict
    required: true
    suboptions:
      login:
        description: The name, such as V(alice@example.com), or the domain for a domain user.
        type: str
        required: true
      password:
        description: The password. It is sent over verified TLS only.
        type: str
        required: true
      senders:
        description:
          - Envelope senders whose mail this login must be able to send.
          - Mail of each, to the same address, is offered with MAIL FROM and RCPT TO, and taken back before its content,
            so nothing is delivered. The vendor may count it as a connection and a recipient of the limits.
          - What the vendor refuses only after it has seen the whole mail, as for a locked user, does not show.
          - Given several times, a login is asked for all of them.
        type: list
        elements: str
  fail_on_refusal:
    description:
      - Whether the task fails unless every login is accepted, and may send for its O(logins[].senders).
      - With V(false) the result tells which ones are not.
    type: bool
    default: true
  concurrency:
    description: How many connections are open at once, from 1 to 10. The vendor takes no more from one address.
    type: int
    default: 4
  timeout:
    description: How many seconds to wait for a connection, and for each reply.
    type: int
    default: 15
seealso:
  - module: smarthost.spamexperts.outgoing_user
"""

EXAMPLES = r"""
- name: The password of this mail server works, from this mail server
  smarthost.spamexperts.smtp_login_info:
    logins:
      - login: alice@example.com
        password: "{{ alice_password }}"

- name: Is it the new password already, or still the old one?
  smarthost.spamexperts.smtp_login_info:
    logins:
      - login: alice@example.com
        password: "{{ alice_password }}"
      - login: alice@example.com
        password: "{{ alice_old_password }}"
    fail_on_refusal: false
  register: proof

- name: Two tasks that together have at most three logins refused
  smarthost.spamexperts.smtp_login_info:
    logins:
      - login: server@example.com
        password: "{{ server_password }}"
    fail_on_refusal: false
    refused_logins: "{{ proof.refused_logins }}"

- name: May the login of the mail server send what the shop writes?
  smarthost.spamexperts.smtp_login_info:
    logins:
      - login: server@example.com
        password: "{{ server_password }}"
        senders: [shop@example.com]
"""

RETURN = r"""
logins:
  description: What each login has shown, in the order of O(logins). Never a password.
  returned: unless an option is wrong
  type: list
  elements: dict
  sample:
    - login: alice@example.com
      accepted: true
      reason: ""
    - login: alice@example.com
      accepted: false
      reason: "4489.smtp.antispamcloud.com answered: 535 Incorrect authentication data"
  contains:
    login:
      description: The name.
      type: str
      returned: always
      sample: alice@example.com
    accepted:
      description:
        - Whether the smarthost has accepted the login.
        - It is null where nothing was proven, because the smarthost could not be asked or did not decide.
      type: bool
      returned: always
      sample: true
    may_send:
      description:
        - Whether it may send mail of O(logins[].senders).
        - It is null where that was not proven, because the login is not accepted, or the smarthost did not decide.
      type: bool
      returned: with O(logins[].senders)
      sample: true
    reason:
      description: Why it is not accepted, may not send, or is not known. Empty when all is well.
      type: str
      returned: always
      sample: ""
refused_logins:
  description: How many logins the smarthost has refused, with those of the option O(refused_logins).
  returned: unless an option is wrong
  type: int
  sample: 1
failure:
  description:
    - Why, in a word for programs. The notes say what C(code) can be.
    - Here also V(login_refused) where the smarthost has refused a login or the mail of a sender, and
      V(login_not_proven) where it could not be asked or did not decide. It is about the first login that failed.
  returned: failure
  type: dict
  sample: {code: login_refused}
"""

from collections.abc import Mapping
from typing import Any

from ..module_utils._module import SecretSafeModule
from ..module_utils._names import ENVELOPE_SENDER, InputError
from ..module_utils._smarthost.login import MOST_CONNECTIONS, LoginProof, Verdict, failure, prove_logins
from ..module_utils._smarthost.server import BUDGET_OPTIONS, SMARTHOST_OPTIONS, refusals_from, smarthost_from

_ACCEPTED = {Verdict.ACCEPTED: True, Verdict.REFUSED: False}


def check_options(params: Mapping[str, Any]) -> None:
    """Raise InputError, which names everything that is wrong with the module's own options."""
    problems = []
    for position, entry in enumerate(params["logins"]):
        problems += [
            f"logins[{position}].{name} is empty or has control characters"
            for name in ("login", "password")
            # A password travels in base64, so only a NUL, which ends it there, is impossible.
            if not entry[name]
            or "\0" in entry[name]
            or (name == "login" and any(ord(character) < 0x20 or character == "\x7f" for character in entry[name]))
        ]
        problems += [
            f"logins[{position}].senders: '{sender}' is not an address of ASCII characters such as name@example.com"
            for sender in entry["senders"] or ()
            if not ENVELOPE_SENDER.match(sender)
        ]
    if not 1 <= params["concurrency"] <= MOST_CONNECTIONS:
        problems.append(f"concurrency is {params['concurrency']}; it must be from 1 to {MOST_CONNECTIONS}")
    if params["timeout"] < 1:
        problems.append(f"timeout is {params['timeout']}; it must be 1 or more")
    if problems:
        raise InputError("; ".join(problems) + "; nothing was tried.")


def shown(proof: LoginProof, *, asked: bool) -> dict[str, Any]:
    """One login of the result; `asked` says whether it had senders."""
    accepted = {"login": proof.login, "accepted": _ACCEPTED.get(proof.verdict), "reason": proof.reason}
    return {**accepted, **({"may_send": proof.may_send and _ACCEPTED.get(proof.may_send)} if asked else {})}


def main() -> None:
    """Run the module."""
    login: dict[str, Any] = {
        "login": {"type": "str", "required": True},
        "password": {"type": "str", "required": True, "no_log": True},
    }
    login["senders"] = {"type": "list", "elements": "str"}
    module = SecretSafeModule(
        argument_spec={
            **SMARTHOST_OPTIONS,
            **BUDGET_OPTIONS,
            "logins": {"type": "list", "elements": "dict", "required": True, "options": login},
            "fail_on_refusal": {"type": "bool", "default": True},
            "concurrency": {"type": "int", "default": 4},
            "timeout": {"type": "int", "default": 15},
        },
        supports_check_mode=True,
    )
    params = module.params
    try:
        check_options(params)
        server, refusals = smarthost_from(params), refusals_from(params)
    except InputError as problem:
        module.fail_json(msg=str(problem), code=problem.code)
    pairs = [(entry["login"], entry["password"]) for entry in params["logins"]]
    senders: dict[str, list[str]] = {}
    for entry in params["logins"]:
        senders.setdefault(entry["login"], []).extend(entry["senders"] or ())
    proofs = prove_logins(
        server,
        pairs,
        connections=params["concurrency"],
        timeout=params["timeout"],
        senders=senders,
        refusals=refusals,
    )
    logins = [shown(proof, asked=bool(senders[proof.login])) for proof in proofs]
    result: dict[str, Any] = {"logins": logins, "refused_logins": refusals.used}
    sentence, code = failure(proofs, ", see logins in the result")
    if sentence and params["fail_on_refusal"]:
        module.fail_json(msg=sentence, code=code, **result)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
