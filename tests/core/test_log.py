"""What reaches a log line."""

import io
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings

from studio.core.log import RedactingFormatter

KEY = "sk-proj-abcdefghijklmnop"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Our handler as LOGGING describes it, on a stream of the test's."""
    logging_settings: Any = settings.LOGGING
    described = logging_settings["formatters"]["redacted"]
    assert described["()"] == "studio.core.log.RedactingFormatter"
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(RedactingFormatter(described["format"]))
    root = logging.getLogger()
    root.addHandler(handler)
    yield stream
    root.removeHandler(handler)


def test_a_key_in_a_message_its_arguments_or_a_traceback_is_redacted(log: io.StringIO) -> None:
    logger = logging.getLogger("gateway.somewhere")
    try:
        raise ValueError(f"refused {KEY}")
    except ValueError:
        logger.exception("sent %s to postgres://app:hunter2@db/studio", KEY)
    written = log.getvalue()
    assert "ERROR gateway.somewhere sent [redacted] to postgres://[redacted]@db/studio\n" in written
    assert written.endswith("ValueError: refused [redacted]\n")
    assert KEY not in written


def test_info_is_shown_and_a_refused_request_is_not_repeated(log: io.StringIO) -> None:
    logging.getLogger("gateway.somewhere").info("told")
    logging.getLogger("django.request").warning("Not Found: /v1/none")
    assert log.getvalue().endswith("INFO gateway.somewhere told\n")
    assert "Not Found" not in log.getvalue()
