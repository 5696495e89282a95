"""The sandbox as its own process, and ways to call it."""

import subprocess
import sys
from collections.abc import Iterator
from uuid import uuid4

import openai
import pytest

from tests.sandbox.caller import CHECKOUT, Caller


@pytest.fixture(scope="session")
def sandbox_url() -> Iterator[str]:
    """Start the sandbox on a free port."""
    command = [sys.executable, "-m", "sandbox", "--port", "0"]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


@pytest.fixture
def caller(sandbox_url: str) -> Caller:
    """Call the sandbox."""
    return Caller(url=sandbox_url)


@pytest.fixture
def client(sandbox_url: str) -> Iterator[openai.OpenAI]:
    """Call the sandbox with the official SDK, without its retries."""
    key = "sk-sandbox-1234"
    with openai.OpenAI(api_key=key, base_url=f"{sandbox_url}/openai/v1", max_retries=0) as made:
        yield made


@pytest.fixture
def mark() -> str:
    """Make a word no other request has, to find this test's requests in the journal."""
    return f"mark-{uuid4().hex}"
