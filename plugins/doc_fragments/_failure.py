# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a task fails, in words for programs. ansible-core has no fragments for return values, so these are notes."""

from __future__ import annotations


class ModuleDocFragment:
    """The words of C(failure.code); the sections add what only some modules have."""

    DOCUMENTATION = r"""
options: {}
notes:
  - When the task fails, C(failure.code) says why in a word for programs, beside the sentence for people in C(msg).
    V(invalid_options) means that an option is wrong or missing, or that options do not fit together. Nothing was done
    then.
"""

    API = r"""
options: {}
notes:
  - When a call of the API fails, C(failure.code) is V(credentials), V(api_not_allowed), V(address_not_allowed) or
    V(admin_inactive) for a caller who may not use the API, V(no_permission) for one who may not make this call,
    V(unsupported) for a call that the server does not know, V(not_found), V(not_yours), V(foreign) or
    V(already_exists) for what the call was about, V(has_outgoing_users) or V(limit_reached) for what stands against
    it, V(server_fault), V(unreachable), V(lost_reply) (the call may or may not have been carried out) or V(bad_reply)
    for a server that does not work as it should, and V(other) for all else that the server says.
  - C(failure.code) is V(missing_library) where the Python that runs the module has no C(requests).
  - It is V(not_offered) where the server has no call for what the task needs; see O(api_methods).
"""

    USERS = r"""
options: {}
notes:
  - When outgoing users fail, C(failure.code) is the C(code) that all of them have, or V(several_reasons). Those that
    have not failed are done, unless they are V(not_attempted).
  - Besides the words above, it may be V(invalid_options) for one of the users, V(needs_consent) for what may do harm
    and that an option has to allow, which C(msg) names, and V(login_refused) for a password that the smarthost does
    not take, although the server says that it is set.
"""

    DOMAINS = r"""
options: {}
notes:
  - When domains fail, C(failure.code) is the C(code) that all of them have, or V(several_reasons). Those that have not
    failed are done, unless they are V(not_attempted).
"""

    # What can be wrong with a host and its files.
    HOST = r"""
options: {}
notes:
  - C(failure.code) is V(not_installed) where a program, or what it needs, is missing, V(unsupported) where what is
    there cannot do what is asked for, V(conflict) where something else stands in the way, which the message names,
    V(in_use) while somebody else works on the same files, V(no_permission) where another user is needed, such as root,
    V(file_error) where a file cannot be read or written, and V(command_failed) where a program has failed.
"""
