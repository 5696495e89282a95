"""Asking a gateway that makes images and music, as its callers do."""

import time
from typing import Any

import requests

from tests.gateway.conftest import Payer

_PATIENCE_S = 60.0


def finished(payer: Payer, job_id: str) -> dict[str, Any]:
    """Wait by long polls until a job has ended."""
    ends_s = time.monotonic() + _PATIENCE_S
    while time.monotonic() < ends_s:
        answer = payer.get(f"/v1/jobs/{job_id}?wait=25")
        assert answer.status_code == 200, answer.text
        job: dict[str, Any] = answer.json()
        if job["finished_at"]:
            return job
    raise AssertionError(f"job {job_id} did not end")


def fetched(url: str) -> requests.Response:
    """Fetch a file by its address alone, as a browser would."""
    return requests.get(url, timeout=30)
