"""The one formatter of our log lines; `LOGGING` in studio/settings.py names it."""

import logging

from studio.core.redaction import redact


class RedactingFormatter(logging.Formatter):
    """Format as usual, then redact the whole: message, arguments and traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without anything that looks like a credential."""
        return redact(super().format(record))
