# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has logged in at this mail server stands in the mail, so the smarthost can lock one person, not the server."""

from __future__ import annotations

from .commands import Instance
from .settings import RelaySettings

#: Adds "(Authenticated sender: NAME)" to the header Received.
PARAMETER = "smtpd_sasl_authenticated_header"
_LOGIN = "smtpd_sasl_auth_enable"


def warnings(instance: Instance, settings: RelaySettings) -> list[str]:
    """Where mail would name nobody all the same."""
    if not settings.identity:
        return []
    listeners = [name for name, words in instance.services().items() if words[7] == "smtpd"]
    options = {name: instance.overrides(name) for name in listeners}
    main = instance.effective([_LOGIN])[_LOGIN]
    with_login = [name for name in listeners if options[name].get(_LOGIN, main) == "yes"]
    if not with_login:
        return [
            f"identity: nobody can log in at this mail server ({_LOGIN}), so its mail names nobody; let the vendor "
            "tell senders apart by the envelope sender."
        ]
    return [
        f"identity: master.cf says {PARAMETER}={options[name][PARAMETER]} for {name}, so mail that is handed in there "
        "names nobody; take that out."
        for name in with_login
        if options[name].get(PARAMETER, "yes") != "yes"
    ]
