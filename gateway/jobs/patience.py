"""Writing down what a provider answered although the database is away for a moment.

The answer is in this thread alone: it is written again and again until the lease would be over.
"""

import logging
import time
from collections.abc import Callable

from django.db import InterfaceError, OperationalError, connection

logger = logging.getLogger(__name__)

_PATIENCE_S = 45.0
"""Within the lease of 60 s; after it the fence refuses, and another worker may be at the run."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 4.0


def patiently(write: Callable[[], None]) -> None:
    """Call `write`, which is safe twice, until the database takes it.

    Raises: OperationalError, InterfaceError, after 45 seconds.
    """
    ends_s = time.monotonic() + _PATIENCE_S
    pause_s = _FIRST_PAUSE_S
    while True:
        try:
            return write()
        except (OperationalError, InterfaceError) as error:
            if time.monotonic() + pause_s > ends_s:
                raise
            logger.warning("an answer is not written yet: %s", type(error).__name__)
            connection.close()
        time.sleep(pause_s)
        pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)
