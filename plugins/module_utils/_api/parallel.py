# Copyright: smarthost.spamexperts maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several requests at a time, once one has shown that the server takes the login."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import Callable, TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def first_alone(work: Callable[[_Item], _Result], items: Sequence[_Item], concurrency: int) -> list[_Result]:
    """The results in the order of the items. The others wait for the first, as a wrong API login is not tried twice.

    What `work` raises ends it, and nothing is begun after that.
    """
    if not items:
        return []
    ended = threading.Event()

    def begin(item: _Item) -> _Result:
        if ended.is_set():
            raise CancelledError  # nobody sees it: an item before this one has failed
        try:
            return work(item)
        except BaseException:
            ended.set()
            raise

    first = work(items[0])
    with ThreadPoolExecutor(max_workers=concurrency) as pool:
        return [first, *pool.map(begin, items[1:])]
