# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Postfix instance that a module's options name."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import files
from .commands import Answer, Instance, PostfixError, Runner
from .settings import check_config_directory

#: Fragment `_postfix`.
INSTANCE_OPTIONS: dict[str, Any] = {"config_directory": {"type": "path"}}


def names_main_instance(module: Any) -> bool:
    """Whether the option `config_directory` leaves the main instance, or names it: that one may be somebody else's."""
    directory = module.params["config_directory"]
    program = module.get_bin_path("postconf")
    if directory is None or program is None:
        return directory in (None, "/etc/postfix")
    os.environ.pop("MAIL_CONFIG", None)
    # What is compiled in: without a main.cf, all else takes postconf a second.
    main: str = module.run_command([program, "-d", "-h", "config_directory"])[1].strip()
    return os.path.realpath(str(directory)) == os.path.realpath(main)


def module_runner(module: Any) -> Runner:
    """Runs programs of the host, with their words in English."""
    module.run_command_environ_update = {"LC_ALL": "C"}

    def run(arguments: Sequence[str], stdin: str) -> Answer:
        program = module.get_bin_path(arguments[0])
        if program is None:
            return Answer(127, "", f"the program {arguments[0]} is missing on this host")
        return Answer(*module.run_command([program, *arguments[1:]], data=stdin or None, binary_data=True))

    return run


def find_instance(module: Any) -> Instance:
    """The instance of the option `config_directory`, the main one if it is not given.

    Raises PostfixError or InputError where there is none.
    """
    # The instance is named by option, never by what root's environment happens to say.
    os.environ.pop("MAIL_CONFIG", None)
    run = module_runner(module)
    directory = module.params["config_directory"]
    if directory is None:
        answer = run(["postconf", "-h", "config_directory"], "")
        if answer.code:
            raise PostfixError(
                f"Postfix is installed without a configuration that can be read ({answer.err.strip()}); "
                "give it one, on Debian with 'dpkg-reconfigure postfix', or leave this host out."
            )
        directory = answer.out.strip()
    check_config_directory(directory)
    for name in ("main.cf", "master.cf"):
        if not Path(directory, name).exists():
            files.refuse_link(str(Path(directory, name)))
        if not Path(directory, name).is_file():
            raise PostfixError(f"{directory}/{name} is missing; Postfix is installed there without a configuration.")
    return Instance(run, directory)
