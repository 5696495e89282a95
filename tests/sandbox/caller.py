"""A caller of the sandbox without an SDK between it and the bytes."""

import http.client
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One HTTP answer, read to its end."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 - a JSON border
        """Decode the body."""
        return json.loads(self.body)

    def events(self) -> list[Any]:
        """Decode the events of a stream, `[DONE]` as the string it is."""
        lines = self.body.decode().replace("\r\n", "\n").split("\n")
        data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
        return [text if text == "[DONE]" else json.loads(text) for text in data]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Calls one sandbox."""

    url: str

    def address(self) -> tuple[str, int]:
        """Tell host and port."""
        parts = urlsplit(self.url)
        return str(parts.hostname), int(parts.port or 80)

    def connect(self) -> http.client.HTTPConnection:
        """Make a connection."""
        return http.client.HTTPConnection(*self.address(), timeout=15)

    def send(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send one request and read its answer."""
        connection = self.connect()
        try:
            key = {"authorization": "Bearer sk-sandbox-1234"}
            connection.request(method, path, body=body, headers=key if headers is None else headers)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(status=response.status, headers=found, body=response.read())
        finally:
            connection.close()

    def chat(self, content: str, *, model: str = "gpt-5.6-sol", **fields: object) -> Answer:
        """Send one chat with a single user message."""
        return self.send(
            "POST", "/openai/v1/chat/completions", body=chat_body(content, model, **fields)
        )

    def journal(self, contains: str, *, at_least: int = 1) -> list[Any]:
        """Read the ended requests whose body contains a text."""
        query = f"contains={quote(contains)}&at_least={at_least}&settled=1"
        found: list[Any] = self.send("GET", f"/_sandbox/requests?{query}").json()["requests"]
        return found


def chat_body(content: str, model: str = "gpt-5.6-sol", **fields: object) -> bytes:
    """Encode one chat with a single user message."""
    messages = [{"role": "user", "content": content}]
    return json.dumps({"model": model, "messages": messages, **fields}).encode()
