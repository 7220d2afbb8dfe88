#!/usr/bin/python
# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Send one mail through the Postfix of this host and follow it until a server takes it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postfix_test_mail
short_description: Send a test mail through Postfix and follow it to its acceptance
version_added: 1.0.0
description:
  - Hands one short mail to the Postfix of this host, as any program there would, and reads in the mail log what becomes
    of it.
  - Fails with the reason when the mail is refused or has to wait. It is then taken out of the queue again; the message
    says so where that was not possible and it may still go out.
  - Nothing on the host changes, so this never reports a change. In check mode no mail is sent.
options:
  sender:
    description:
      - Envelope sender and From of the mail. It decides which login is used.
      - The default is C(postmaster) at the name of this host, as Postfix knows it (C(myhostname)).
    type: str
  user:
    description:
      - Account of this host that hands the mail in, in the way of a cron job, with the sender that Postfix makes of its
        name. Instead of O(sender), and for the main instance only.
    type: str
  recipient:
    description: Where the mail goes. It arrives there.
    type: str
    required: true
  smarthost:
    description:
      - Name of the server that has to accept the mail, as Postfix knows it.
      - If it is given and another server accepts the mail, such as this host itself for a domain of its own, nothing
        is proven, and the module fails.
    type: str
  wait_timeout:
    description: How many seconds to wait for the outcome. A mail that still waits then is taken out of the queue.
    type: int
    default: 60
notes:
  - The mail log is the file of C(maillog_file), one of the usual files in C(/var/log), or the journal of systemd.
extends_documentation_fragment:
  - smarthost.spamexperts._failure
  - smarthost.spamexperts._failure.HOST
  - smarthost.spamexperts._postfix
  - smarthost.spamexperts._attributes.INFO
attributes:
  check_mode:
    description: Can run in C(check_mode), which changes nothing.
    support: partial
    details: Only the options are checked, and no mail is sent.
author:
  - smarthost.spamexperts maintainers (@smarthost)
seealso:
  - module: smarthost.spamexperts.postfix_relay
  - module: smarthost.spamexperts.smtp_login_info
"""

EXAMPLES = r"""
- name: Does a mail of the shop leave this host?
  smarthost.spamexperts.postfix_test_mail:
    sender: shop@example.com
    recipient: postmaster@example.com

- name: Does a mail of cron leave it?
  smarthost.spamexperts.postfix_test_mail:
    user: nobody
    recipient: postmaster@example.com

- name: And does it go through the smarthost?
  smarthost.spamexperts.postfix_test_mail:
    sender: shop@example.com
    recipient: someone@example.net
    smarthost: 4489.smtp.antispamcloud.com
"""

RETURN = r"""
status:
  description:
    - What became of the mail. V(sent) means that the server named in RV(relay) has accepted it.
    - V(unknown) means that the mail was handed to Postfix, but that its log was not found, so nothing was proven. The
      module warns of it.
    - V(not_sent) is returned in check mode.
  returned: success
  type: str
  sample: sent
relay:
  description: The server that has accepted the mail.
  returned: when the mail was sent
  type: str
  sample: 4489.smtp.antispamcloud.com[192.0.2.1]:587
reply:
  description: The server's answer.
  returned: when the mail was sent
  type: str
  sample: 250 OK id=1sXyZ2-0001Ab-3c
failure:
  description:
    - Why, in a word for programs. The notes say what C(code) can be.
    - Here also V(not_running) where Postfix does not run, V(not_delivered) where the mail had to wait or came back,
      V(wrong_server) where another server than O(smarthost) has taken it, and V(timeout) where it had not left after
      O(wait_timeout).
  returned: failure
  type: dict
  sample: {code: not_delivered}
"""

import re
import time
import uuid
from typing import Any

from ..module_utils._module import Module
from ..module_utils._names import InputError, host_name
from ..module_utils._postfix.commands import Instance, PostfixError, submit_as
from ..module_utils._postfix.mail_log import Delivery, MailLog
from ..module_utils._postfix.module import INSTANCE_OPTIONS, find_instance

MESSAGE = """\
From: {sender}
To: {recipient}
Subject: Test mail of smarthost.spamexperts
Message-ID: <{message_id}>
Auto-Submitted: auto-generated

This mail proves that its host can send. It needs no answer.
"""
# Seconds after which a mail log that does not mention the mail is taken for the wrong one.
LOG_PATIENCE = 10
ADDRESS = re.compile(r"[^\s<>\x00-\x1f\x7f]+@[^\s<>@\x00-\x1f\x7f]+\Z")


def main() -> None:
    """Run the module."""
    module = Module(
        argument_spec={
            "sender": {"type": "str"},
            "user": {"type": "str"},
            "recipient": {"type": "str", "required": True},
            "smarthost": {"type": "str"},
            "wait_timeout": {"type": "int", "default": 60},
            **INSTANCE_OPTIONS,
        },
        mutually_exclusive=[("sender", "user"), ("config_directory", "user")],
        supports_check_mode=True,
    )
    try:
        for name in ("sender", "recipient"):
            if module.params[name] is not None and not ADDRESS.match(module.params[name]):
                raise InputError(f"{name}: '{module.params[name]}' is not an address such as name@example.com.")
        if module.params["smarthost"] is not None:
            module.params["smarthost"] = host_name(module.params["smarthost"])
        result = {"status": "not_sent"} if module.check_mode else send(module)
    except (PostfixError, InputError) as error:
        module.fail_json(msg=str(error), code=error.code)
    except OSError as error:
        reason = f"The mail log cannot be read: {error.strerror}. Run the task with become: true."
        module.fail_json(msg=reason, code="file_error")
    if result["status"] == "unknown":
        module.warn("The test mail was handed to Postfix, but no mail log of this host mentions it; nothing is proven.")
    module.exit_json(changed=False, **result)


def send(module: Any) -> dict[str, str]:
    """Send the mail and follow it; raises PostfixError unless it was accepted."""
    if module.get_bin_path("postconf") is None:
        raise PostfixError("Postfix is not installed on this host, so no mail can be sent through it.", "not_installed")
    instance = find_instance(module)
    if not instance.is_running():
        raise PostfixError("Postfix does not run, so the test mail would only wait; start Postfix.", "not_running")
    host_name = instance.effective(["myhostname"])["myhostname"]
    sender = module.params["sender"] or f"postmaster@{host_name}"
    recipient, timeout = module.params["recipient"], module.params["wait_timeout"]
    message_id = f"{uuid.uuid4()}@{host_name}"
    log, begin = MailLog(instance), time.monotonic()
    queue_id: str | None = None
    message = MESSAGE.format(sender=sender, recipient=recipient, message_id=message_id)
    if module.params["user"] is None:
        instance.submit(sender, recipient, message)
    else:
        # It says nothing of its sender.
        submit_as(module.params["user"], recipient, message.partition("\n")[2])
    while time.monotonic() - begin < timeout:
        try:
            queue_id = log.queue_id(message_id)
            attempts = log.deliveries(queue_id) if queue_id else []
        except OSError as error:
            raise PostfixError(
                f"the mail log cannot be read any more ({error.strerror}); {take_back(instance, queue_id)}",
                "file_error",
            ) from None
        # A content filter has handed it back under another queue id by the time that it has accepted it.
        if queue_id and attempts and log.queue_id(message_id) == queue_id:
            return judged(instance, queue_id, attempts[-1], module.params["smarthost"])
        if queue_id is None and time.monotonic() - begin > min(LOG_PATIENCE, timeout / 2):
            return {"status": "unknown"}
        time.sleep(0.1)
    raise PostfixError(
        f"the test mail had not left this host after {timeout} seconds; {take_back(instance, queue_id)}", "timeout"
    )


def take_back(instance: Instance, queue_id: str | None) -> str:
    """Take a mail that was never tried out of the queue; say what became of it."""
    # postsuper ends with 0 whether or not it has found the mail.
    if queue_id and "Deleted: 1 " in instance.ask("postsuper", "-d", queue_id).err:
        return "it was taken back, unless a server was just taking it."
    return "it was not found in the queue and may still go out; see the queue and the mail log."


def judged(instance: Instance, queue_id: str, attempt: Delivery, smarthost: str | None) -> dict[str, str]:
    """Return a mail that the right server has accepted; take any other one back and raise PostfixError."""
    if attempt.status != "sent":
        # What was bounced has left the queue.
        done = f"; {take_back(instance, queue_id)}" if attempt.status == "deferred" else ""
        raise PostfixError(f"the test mail was {attempt.status}, because: {attempt.reply}{done}", "not_delivered")
    if smarthost and attempt.relay.partition("[")[0].lower() != smarthost:
        raise PostfixError(
            f"the test mail was accepted by {attempt.relay}, not by the smarthost {smarthost}; name a recipient and "
            "a sender whose mail goes through it.",
            "wrong_server",
        )
    return attempt._asdict()


if __name__ == "__main__":
    main()
