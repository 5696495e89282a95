"""Asking Image Studio for pictures as its clients do, and looking at what comes."""

import base64
import io
from typing import Any

import requests
from PIL import Image

from tests.gateway.conftest import Payer

CREATE = "/api/image-studio/create"
CREDIT = 1_000_000
PATIENCE_S = 90


def create(
    payer: Payer, *, headers: dict[str, str] | None = None, **body: Any
) -> requests.Response:
    """Ask for pictures, without enhancing the prompt unless it is asked for."""
    sent = {"prompt": "a lamp", "enhance_prompt": False, **body}
    return payer.post(CREATE, json=sent, headers=headers or {}, timeout=PATIENCE_S)


def pictures(answer: requests.Response) -> list[Image.Image]:
    """Open the pictures of an answer."""
    assert answer.status_code == 200, answer.text[:500]
    found = [base64.b64decode(one["image_base64"]) for one in answer.json()["results"]]
    return [Image.open(io.BytesIO(data)) for data in found]
