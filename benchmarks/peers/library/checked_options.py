# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of outgoing_users, checked by ansible-core and by nobody else; then nothing.

What ansible-core takes for any module with so many options. No password is looked for in texts, as in outgoing_users.
"""

from __future__ import annotations

from ansible_collections.smarthost.spamexperts.plugins.module_utils._api.options import API_OPTIONS
from ansible_collections.smarthost.spamexperts.plugins.module_utils._module import SecretSafeModule
from ansible_collections.smarthost.spamexperts.plugins.module_utils._smarthost.server import SMARTHOST_OPTIONS
from ansible_collections.smarthost.spamexperts.plugins.module_utils._users.options import (
    MANAGE_OPTIONS,
    OUTGOING_USER_OPTIONS,
    UPDATE_PASSWORD,
)


def main() -> None:
    users = {"type": "list", "elements": "dict", "required": True, "options": OUTGOING_USER_OPTIONS}
    own = {"users": users, "update_password": UPDATE_PASSWORD}
    SecretSafeModule(argument_spec={**API_OPTIONS, **SMARTHOST_OPTIONS, **MANAGE_OPTIONS, **own}).exit_json()


if __name__ == "__main__":
    main()
