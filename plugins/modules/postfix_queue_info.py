#!/usr/bin/python
# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at the mail that waits for the smarthost."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postfix_queue_info
short_description: Show how much mail waits for the smarthost, why, and until when
version_added: 1.0.0
description:
  - Reads the queue of this host, and says how many mails wait for the smarthost, since when, for which reasons, what
    mends each of them, and when Postfix gives up the first one.
  - Counts in the mail log what was returned to its sender in the last day.
  - Nothing of a mail is in the result but the domain of its sender, neither address nor content, and of what a server
    has said only the code, as a reply may repeat a password.
options:
  smarthost:
    description: Name of the smarthost, as it stands in the queue and in the log.
    type: str
    default: 4489.smtp.antispamcloud.com
  fail_when_older_than:
    description:
      - The task fails when a mail waits for the smarthost for more than so many seconds, with the reasons in the
        message.
      - It fails as well when not the whole queue could be read within O(wait_timeout).
    type: int
  wait_timeout:
    description:
      - How many seconds reading the queue may take. Where it is longer, all numbers are at least so high, and
        RV(complete) is V(false).
    type: int
    default: 60
notes:
  - A mail waits for the smarthost when the reason of one of its recipients names that server. A reason that names
    none, such as a certificate that could not be verified, and mail that was not tried yet count where
    C(relayhost), C(default_transport) or M(smarthost.spamexperts.postfix_relay) lead to the smarthost, but for the
    domains that this host names as its own.
  - The mail log is the file of C(maillog_file), one of the usual files in C(/var/log), or the journal of systemd, and
    of it the lines with the C(syslog_name) of the instance. A file that was rotated away is read as well until it is
    compressed.
  - Changes nothing, and lets Postfix try nothing.
extends_documentation_fragment:
  - smarthost.spamexperts._failure
  - smarthost.spamexperts._failure.HOST
  - smarthost.spamexperts._postfix
  - smarthost.spamexperts._attributes.INFO
author:
  - smarthost.spamexperts maintainers (@smarthost)
seealso:
  - module: smarthost.spamexperts.postfix_delivery_info
  - module: smarthost.spamexperts.smtp_login_info
"""

EXAMPLES = r"""
- name: How much mail waits, and why?
  smarthost.spamexperts.postfix_queue_info:
  register: queue

- name: Fail while a mail waits for more than a day
  smarthost.spamexperts.postfix_queue_info:
    fail_when_older_than: 86400
"""

RETURN = r"""
waiting:
  description: How many mails wait for the smarthost, those included that are just on their way.
  returned: always
  type: int
  sample: 12
oldest_age:
  description: For how many seconds the oldest of them has waited. Null where nothing waits.
  returned: always
  type: int
  sample: 7500
first_lost_in:
  description:
    - In how many seconds Postfix gives up the first of them and returns it to its sender, by C(maximal_queue_lifetime)
      and C(bounce_queue_lifetime). V(0) means at the next try.
    - Null where nothing waits, or where these settings cannot be read.
  returned: always
  type: int
  sample: 424500
reasons:
  description: Why they wait, those with the most mails first. A mail whose recipients wait for several is in each.
  returned: always
  type: list
  elements: dict
  sample:
    - group: password
      mails: 12
      codes: [535]
      remedy: >-
        the smarthost refuses the login, or this host after too many refusals: find the right password with
        smtp_login_info, and let apply set it up
  contains:
    group:
      description:
        - One of V(lock), V(limit), V(tls), V(password), V(busy) (too many connections), V(unreachable), V(not_tried)
          and V(other).
      returned: always
      type: str
      sample: password
    mails:
      description: How many mails wait for it.
      returned: always
      type: int
      sample: 12
    codes:
      description: The codes with which the smarthost has replied. Empty where it did not reply.
      returned: always
      type: list
      elements: int
      sample: [535]
    remedy:
      description: What to do.
      returned: always
      type: str
      sample: read with 'postqueue -p' on the host what the server says
held:
  description: Mails that somebody, or a rule, has put on hold. Postfix keeps them until they are released.
  returned: always
  type: int
  sample: 0
elsewhere:
  description: Mails that wait for other servers, or for this host itself.
  returned: always
  type: int
  sample: 3
complete:
  description: Whether the whole queue was read.
  returned: always
  type: bool
  sample: true
bounced:
  description:
    - How many mails for the smarthost were returned to their senders in the last day, as far as the log shows.
    - Null where this host has no mail log, or one that cannot be read.
  returned: always
  type: int
  sample: 0
log:
  description: The log that was read, or V(journal). Null where there is none.
  returned: always
  type: str
  sample: /var/log/mail.log
log_reaches_back:
  description: Of how many seconds RV(bounced) is; V(86400) is the whole day. Null without RV(log).
  returned: always
  type: int
  sample: 86400
sender_domains:
  description:
    - The domains of the envelope senders with which mail left for the smarthost, after C(smtp_generic_maps), in the
      time of RV(log_reaches_back). Those with the most mails first; at most 200.
    - Null without RV(log).
  returned: always
  type: list
  elements: str
  sample: [example.com]
failure:
  description:
    - Why, in a word for programs. The notes say what C(code) can be.
    - Here also V(too_old) where a mail waits for more than O(fail_when_older_than), and V(timeout) where the queue was
      not read to its end. Everything above is returned as well then.
  returned: failure
  type: dict
  sample: {code: too_old}
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Optional

from ..module_utils._module import Module
from ..module_utils._names import InputError, host_name
from ..module_utils._postfix import files
from ..module_utils._postfix.bounces import count_bounces, lines_since
from ..module_utils._postfix.commands import Instance, PostfixError
from ..module_utils._postfix.mail_log import log_file
from ..module_utils._postfix.module import INSTANCE_OPTIONS, find_instance
from ..module_utils._postfix.parameters import SENDERS_FILE
from ..module_utils._postfix.queue import Lifetimes, Queue, seconds_of, sentence, span
from ..module_utils._postfix.reasons import Way
from ..module_utils._postfix.system_mail import leaves_as
from ..module_utils._smarthost.options import DEFAULT_SMARTHOST

_DAY = 86400
_MOST_DOMAINS = 200
_ROUTES = ("relayhost", "default_transport")
_LOCAL = ("mydestination", "virtual_mailbox_domains", "virtual_alias_domains")


def main() -> None:
    """Run the module."""
    module = Module(
        argument_spec={
            "smarthost": {"type": "str", "default": DEFAULT_SMARTHOST},
            "fail_when_older_than": {"type": "int"},
            "wait_timeout": {"type": "int", "default": 60},
            **INSTANCE_OPTIONS,
        },
        supports_check_mode=True,
    )
    smarthost, oldest = module.params["smarthost"], module.params["fail_when_older_than"]
    try:
        smarthost = host_name(smarthost)
        for name in ("fail_when_older_than", "wait_timeout"):
            if (module.params[name] or 0) < 0:
                raise InputError(f"{name}: {module.params[name]} is negative; give a number of seconds")
        if module.get_bin_path("postconf") is None:
            raise PostfixError("Postfix is not installed on this host, so it has no queue.", "not_installed")
        result = look(find_instance(module), smarthost, module.params["wait_timeout"])
    except (PostfixError, InputError) as error:
        module.fail_json(msg=str(error), code=error.code)
    except PermissionError as error:
        reason = f"{error.filename} can be read by root only; run the task with become: true."
        module.fail_json(msg=reason, code="no_permission")
    if oldest is not None and (result["oldest_age"] or 0) > oldest:
        module.fail_json(msg=sentence(result, smarthost), code="too_old", **result)
    if not result["complete"]:
        text = f"The queue was not read to its end within {span(module.params['wait_timeout'])}, so more may wait"
        if oldest is not None:
            module.fail_json(msg=f"{text}, and longer; raise wait_timeout.", code="timeout", **result)
        module.warn(f"{text}; raise wait_timeout.")
    module.exit_json(changed=False, **result)


def look(instance: Instance, smarthost: str, patience: float) -> dict[str, Any]:
    """The queue, and what the log tells of the last day."""
    known = instance.everything()
    way = way_of(instance, known, smarthost)
    mail, bounce = (seconds_of(known.get(f"{name}_queue_lifetime", "")) for name in ("maximal", "bounce"))
    queue = Queue(way, Lifetimes(mail, bounce), time.time())
    finished = instance.read(queue.add, patience, "postqueue", "-j")
    result = {**queue.to_result(), "complete": finished and not queue.unreadable}
    return {**result, **bounced(instance, way, known.get("syslog_name", "postfix"))}


def way_of(instance: Instance, known: dict[str, str], smarthost: str) -> Way:
    """Which mail of this host goes to the smarthost."""
    by_sender = (files.read(instance.path(SENDERS_FILE)) or b"").decode("utf-8", "replace")
    routes = " ".join([*(known.get(name, "") for name in _ROUTES), by_sender])
    local = {domain.lower() for name in _LOCAL for domain in known.get(name, "").replace(",", " ").split()}
    return Way(smarthost, smarthost.lower() in routes.lower(), frozenset(local))


def bounced(instance: Instance, way: Way, syslog_name: str) -> dict[str, Any]:
    """What was returned in the last day."""
    now = datetime.now()
    nothing = dict.fromkeys(("log", "bounced", "log_reaches_back", "sender_domains"))
    since = now.replace(microsecond=0) - timedelta(seconds=_DAY)
    try:
        path = log_file(instance)
        lines: Optional[Iterable[str]] = lines_since(path, since) if path else journal(instance, since)
        if lines is None:
            return nothing
        found, reach = count_bounces(lines, since, now, way, syslog_name)
    except OSError:
        return nothing
    shown = {"log": str(path or "journal"), "bounced": found.number, "log_reaches_back": reach}
    return {**shown, "sender_domains": sender_domains(instance, found.senders)}


def sender_domains(instance: Instance, senders: Mapping[str, int]) -> list[str]:
    """The domains with which mail leaves, those with the most mails first."""
    number: Counter[str] = Counter()
    for sender, new in leaves_as(instance, senders).items():
        number[new.rpartition("@")[2].lower()] += senders[sender]
    return [domain for domain, _number in number.most_common(_MOST_DOMAINS)]


def journal(instance: Instance, since: datetime) -> Optional[list[str]]:
    """The lines that the mail system has written to the journal; None where there are none."""
    text = instance.journal(int(since.timestamp()), "--output=short", "SYSLOG_FACILITY=2")
    return text.splitlines() or None


if __name__ == "__main__":
    main()
