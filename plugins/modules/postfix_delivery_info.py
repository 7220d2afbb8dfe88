#!/usr/bin/python
# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Count what became of the mail that this host has sent to the smarthost in the last seconds."""

from __future__ import annotations

DOCUMENTATION = r"""
module: postfix_delivery_info
short_description: Count what Postfix has delivered and deferred in the last seconds
version_added: 1.0.0
description:
  - Reads in the mail log of this host how many mails were deferred on their way to the smarthost, and what became of
    them.
  - It counts mails, not recipients. No address and no content is in the result.
options:
  smarthost:
    description: Name of the smarthost, as it stands in the log.
    type: str
    default: 4489.smtp.antispamcloud.com
  seconds:
    description: How many seconds to look back, by the clock of this host.
    type: float
    required: true
  wait_timeout:
    description: How many seconds to wait at most until none of the deferred mails waits any more.
    type: int
    default: 0
notes:
  - The mail log is the file of C(maillog_file), one of the usual files in C(/var/log), or the journal of systemd.
  - Lines that were rotated away in these seconds are not counted.
extends_documentation_fragment:
  - smarthost.spamexperts._failure
  - smarthost.spamexperts._failure.HOST
  - smarthost.spamexperts._postfix
  - smarthost.spamexperts._attributes.INFO
author:
  - smarthost.spamexperts maintainers (@smarthost)
seealso:
  - module: smarthost.spamexperts.postfix_test_mail
"""

EXAMPLES = r"""
- name: How much mail had to wait in the last ten minutes?
  smarthost.spamexperts.postfix_delivery_info:
    seconds: 600
"""

RETURN = r"""
log:
  description: The file that was read, or V(journal). Null where this host has no mail log, as are all numbers then.
  returned: always
  type: str
  sample: /var/log/mail.log
sent:
  description: Mails that the smarthost has taken.
  returned: always
  type: int
  sample: 120
deferred:
  description: Mails that had to wait at least once.
  returned: always
  type: int
  sample: 4
delivered:
  description: Those of RV(deferred) that were taken later.
  returned: always
  type: int
  sample: 3
returned:
  description: Those of RV(deferred) that were returned to their sender.
  returned: always
  type: int
  sample: 0
waiting:
  description: Those of RV(deferred) that still wait.
  returned: always
  type: int
  sample: 1
removed:
  description: Those of RV(deferred) that somebody has taken out of the queue while they waited.
  returned: always
  type: int
  sample: 0
failure:
  description: Why, in a word for programs. The notes say what C(code) can be.
  returned: failure
  type: dict
  sample: {code: not_installed}
"""

import time
from datetime import datetime
from pathlib import Path
from typing import Any, Optional

from ..module_utils._module import Module
from ..module_utils._names import InputError, host_name
from ..module_utils._postfix.commands import Instance, PostfixError
from ..module_utils._postfix.delivery_counts import DeliveryCounts, count_deliveries, recent
from ..module_utils._postfix.mail_log import log_file
from ..module_utils._postfix.module import INSTANCE_OPTIONS, find_instance
from ..module_utils._smarthost.options import DEFAULT_SMARTHOST


def main() -> None:
    """Run the module."""
    module = Module(
        argument_spec={
            "smarthost": {"type": "str", "default": DEFAULT_SMARTHOST},
            "seconds": {"type": "float", "required": True},
            "wait_timeout": {"type": "int", "default": 0},
            **INSTANCE_OPTIONS,
        },
        supports_check_mode=True,
    )
    try:
        module.params["smarthost"] = host_name(module.params["smarthost"])
        if module.params["seconds"] < 0:
            raise InputError(f"seconds: {module.params['seconds']} is negative; give how far back to look")
        if module.get_bin_path("postconf") is None:
            raise PostfixError("Postfix is not installed on this host, so it has no mail log.", "not_installed")
        result = count(find_instance(module), module.params)
    except (PostfixError, InputError) as error:
        module.fail_json(msg=str(error), code=error.code)
    except OSError as error:
        module.fail_json(msg=f"The mail log cannot be read: {error.strerror}.", code="file_error")
    module.exit_json(changed=False, **result)


def count(instance: Instance, params: Any) -> dict[str, Any]:
    """Count, again until nothing waits or the time is over."""
    begin = time.time() - params["seconds"]
    deadline = time.monotonic() + params["wait_timeout"]
    path = log_file(instance)
    while True:
        text = since(instance, path, begin)
        if text is None:
            return {"log": None, **dict.fromkeys(DeliveryCounts._fields)}
        numbers = count_deliveries(text, params["smarthost"])
        if not numbers.waiting or time.monotonic() >= deadline:
            return {"log": str(path or "journal"), **numbers._asdict()}
        time.sleep(0.2)


def since(instance: Instance, path: Optional[Path], begin: float) -> Optional[str]:
    """The log from this second of the epoch on; None where there is none."""
    if path is not None:
        return recent(path, datetime.fromtimestamp(begin))
    return instance.journal(int(begin)) or None


if __name__ == "__main__":
    main()
