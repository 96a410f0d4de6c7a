"""Points at which lab can be made to die, for tests of what a sudden end leaves behind.

With `LAB_CRASH_AT=N` in the environment, the Nth point that a process passes kills it.
"""

from __future__ import annotations

import itertools
import os
import signal

_passed = itertools.count(1)


def point(where: str) -> None:
    """Kill this process with SIGKILL if this is the point that `LAB_CRASH_AT` counts to.

    Args:
        where: what is half done here, for the one who looks at the test; goes to stderr.
    """
    at = os.environ.get("LAB_CRASH_AT")
    if at and at == str(next(_passed)):
        os.write(2, f"LAB_CRASH_AT={at}: {where}\n".encode())
        os.kill(os.getpid(), signal.SIGKILL)
