"""Stability AI: pictures by multipart forms.

form.py       forms written, answers and errors read: the same for every operation
generate.py   text to image: ultra, core and the family of sd3

Of its other operations none is here yet.
Source: Stability's REST API v2beta, its OpenAPI document of Feb 2025; models and prices of 2026 in
tryAGI/StabilityAI, the same document later.
"""

from collections.abc import Mapping

from gateway.providers.base import UpstreamAnswer, UpstreamFailure, UpstreamRequest
from gateway.providers.images_form import AnswersAtOnce, image_asked_for, use_of
from gateway.providers.media import Made, MediaRequest, MediaTarget
from gateway.providers.stability.form import HOSTS, failure_of, read_image
from gateway.providers.stability.generate import problem_of, write_generation

PATIENCE_S = 120.0


class Stability(AnswersAtOnce):
    """Stability AI's images."""

    slug = "stability"
    default_base_url = "https://api.stability.ai"
    hosts = HOSTS
    operations = frozenset({"image"})

    def auth(self, key: str) -> dict[str, str]:
        """Give the header that carries the key."""
        return {"authorization": f"Bearer {key}"}

    def unsupported_media(self, request: MediaRequest, target: MediaTarget) -> str | None:
        """Name what a model does not have, and `model` for one that is not known here."""
        return problem_of(image_asked_for(request, target), target.model)

    def most_per_run(self, request: MediaRequest, target: MediaTarget) -> int:
        """Ask for one: no model makes more at once."""
        return 1

    def patience_s(self, request: MediaRequest, target: MediaTarget) -> float:
        """Wait as long as it may take, and not beyond the deadline."""
        return min(PATIENCE_S, target.deadline_s)

    def build_submission(self, request: MediaRequest, target: MediaTarget) -> UpstreamRequest:
        """Write the form."""
        return write_generation(image_asked_for(request, target), target.model)

    def parse_submission(
        self, request: MediaRequest, target: MediaTarget, answer: UpstreamAnswer
    ) -> Made:
        """Read the picture.

        Raises: UpstreamFailure, also where the filter blurred it, which comes with 200.
        """
        if answer.status != 200:
            raise self.parse_error(answer.status, answer.headers, answer.body)
        files = (read_image(answer),)
        return Made(files=files, use=use_of(request, files))

    def parse_error(self, status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFailure:
        """Read an answer that is no success."""
        return failure_of(status, headers, body)


PROVIDER = Stability()
