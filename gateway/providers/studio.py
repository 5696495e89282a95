"""Ourselves: what a worker does with pictures by its own hands. Nothing is asked over the network,
so there is no key, no host and no circuit.
"""

from typing import Literal

from gateway.providers.media import MediaRequest, MediaTarget


class _Studio:
    """Pictures cut to sizes."""

    slug = "studio"
    default_base_url = ""
    operations = frozenset({"image_fit"})
    works_here: Literal[True] = True

    def auth(self, key: str) -> dict[str, str]:
        """Give no header: nobody is asked."""
        return {}

    def unsupported_media(self, request: MediaRequest, target: MediaTarget) -> str | None:
        """Name nothing: what a request for this can say, we can do."""
        return None

    def most_per_run(self, request: MediaRequest, target: MediaTarget) -> int:
        """Give all of them: the picture is read once."""
        return target.count


PROVIDER = _Studio()
