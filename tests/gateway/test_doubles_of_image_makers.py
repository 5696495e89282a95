"""What the adaptors of image makers ask, their strict doubles draw, and the adaptors read it."""

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from PIL import Image

from gateway.operations.image import ImageRequest
from gateway.operations.media import MadeFile
from gateway.providers import openai as openai_provider
from gateway.providers import openrouter as openrouter_provider
from gateway.providers import stability as stability_provider
from gateway.providers.base import (
    UpstreamAnswer,
    UpstreamFailure,
    UpstreamInvalid,
    UpstreamOverloaded,
    UpstreamQuota,
    UpstreamRefused,
)
from gateway.providers.media import Made, MediaProvider, MediaTarget
from sandbox import openai, openrouter, stability
from sandbox.messages import Reply, Request
from tests.gateway.image_requests import asked, target


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """A provider, its double, and where the double has what the provider asks for."""

    provider: MediaProvider
    double: Callable[[Request], Reply]
    prefix: str
    model: str

    def make(self, request: ImageRequest, *, to: MediaTarget | None = None) -> Made:
        """Ask the double as the provider would, and read its answer. Raises: UpstreamFailure."""
        to = to or target(self.model, count=1)
        sent = self.provider.build_submission(request, to)
        headers = {**sent.headers, **self.provider.auth("sk-1")}
        reply = self.double(
            Request(
                method=sent.method,
                path=self.prefix + sent.path,
                headers={name.encode(): value.encode() for name, value in headers.items()},
                body=sent.body,
                digest=hashlib.sha256(sent.body).digest(),
                number=0,
                due=lambda faults: faults,
            )
        )
        given = {name.decode(): value.decode() for name, value in reply.headers}
        answer = UpstreamAnswer(status=reply.status, headers=given, body=reply.body)
        made = self.provider.parse_submission(request, to, answer)
        assert isinstance(made, Made)
        return made


OPENAI = Maker(
    provider=openai_provider.PROVIDER, double=openai.answer, prefix="/v1", model="gpt-image-2"
)
ROUTER = Maker(
    provider=openrouter_provider.PROVIDER,
    double=openrouter.answer,
    prefix="/api/v1",
    model="google/gemini-3-image",
)
STABILITY = Maker(
    provider=stability_provider.PROVIDER, double=stability.answer, prefix="", model="sd3.5-medium"
)
each_maker = pytest.mark.parametrize(
    "maker", [OPENAI, ROUTER, STABILITY], ids=["openai", "openrouter", "stability"]
)
REQUESTS: list[dict[str, Any]] = [
    {},
    {"width": 1024, "height": 1024, "quality": "standard", "style": "vivid"},
    {"width": 1792, "height": 1024, "quality": "hd", "style": "natural", "user": "u" * 64},
    {"width": 512, "height": 512, "negative_prompt": "cats", "background": "opaque"},
    {"width": 1500, "height": 500, "output_format": "jpeg", "moderation": "auto"},
    {"prompt": 'Ünï "quoted"\r\n--lines', "style": "photorealistic", "exact_size": True},
]


def opened(file: MadeFile) -> tuple[str | None, tuple[int, int]]:
    """Read the format and the size of a picture."""
    with Image.open(io.BytesIO(file.data)) as image:
        image.load()
        return image.format, image.size


@each_maker
@pytest.mark.parametrize("fields", REQUESTS)
def test_what_is_asked_for_is_drawn_and_read(maker: Maker, fields: dict[str, Any]) -> None:
    request = asked(**fields)
    assert maker.provider.unsupported_media(request, target(maker.model)) is None
    (file,) = maker.make(request).files
    form, (width, height) = opened(file)
    assert form == (request.output_format or "png").upper()
    assert file.media_type == f"image/{request.output_format or 'png'}"
    wanted = (request.width or 1) / (request.height or 1)
    assert 0.75 < (width / height) / wanted < 1.35
    assert maker.make(request).files == (file,)


@pytest.mark.parametrize(
    ("model", "size"),
    [
        ("gpt-image-2.5-sunburst", (1792, 1024)),
        ("gpt-image-2.5-flare", (816, 816)),
        ("gpt-image-1.5", (1024, 1024)),
    ],
)
def test_openai_s_models_draw_the_size_that_was_asked_for(
    model: str, size: tuple[int, int]
) -> None:
    wanted = {"width": 1792, "height": 1024} if size[0] > 1500 else {"width": 256, "height": 256}
    (file,) = OPENAI.make(asked(**wanted), to=target(model)).files
    assert opened(file) == ("PNG", size)


@pytest.mark.parametrize(
    ("maker", "model"), [(OPENAI, "gpt-image-2"), (ROUTER, "openai/gpt-image-2")]
)
def test_several_at_once_are_several_pictures(maker: Maker, model: str) -> None:
    made = maker.make(asked(count=4, width=640, height=640), to=target(model, count=4))
    assert made.use.item_count == 4
    assert len({file.data for file in made.files}) == 4


@pytest.mark.parametrize("model", ["ultra", "core", "sd3.5-large", "sd3.5-large-turbo"])
def test_each_of_stability_s_models_is_where_it_is_asked_for(model: str) -> None:
    (file,) = STABILITY.make(asked(), to=target(model)).files
    assert opened(file)[1] == ((1280, 1280) if model == "core" else (1024, 1024))


def test_transparent_pictures_can_be_seen_through() -> None:
    (file,) = OPENAI.make(asked(background="transparent", output_format="webp")).files
    with Image.open(io.BytesIO(file.data)) as image:
        assert (image.format, image.mode, image.getpixel((0, 0))) == ("WEBP", "RGBA", (0, 0, 0, 0))


def test_a_seed_that_was_asked_for_is_told() -> None:
    assert STABILITY.make(asked(seed=77), to=target("core")).files[0].seed == 77


def test_openrouter_s_cost_is_its_double_s_to_the_micro_credit() -> None:
    assert ROUTER.make(asked()).use.provider_cost_ucr == (1290 + 2) * 30_000
    assert OPENAI.make(asked()).use.provider_cost_ucr is None


@each_maker
@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("refusal", UpstreamRefused),
        ("content_filter", UpstreamRefused),
        ("status=402", UpstreamQuota),
        ("status=429", UpstreamOverloaded),
        ("files=none", UpstreamInvalid),
    ],
)
def test_failures_of_the_doubles_are_read_as_what_they_are(
    maker: Maker, words: str, kind: type[UpstreamFailure]
) -> None:
    if (maker, words) == (OPENAI, "status=402"):
        words = "status=429 code=insufficient_quota"
    with pytest.raises(kind):
        maker.make(asked(prompt=f"A lamp [[sandbox {words}]]"))


@each_maker
def test_files_that_are_no_pictures_are_handed_on_to_whoever_looks_into_them(maker: Maker) -> None:
    made = maker.make(asked(prompt="A lamp [[sandbox files=text]]"))
    assert [file.data for file in made.files] == [b"This is no picture."]
    assert b"This is no picture." not in repr(made).encode()


def test_fewer_pictures_than_asked_for_are_counted_as_they_are() -> None:
    request = asked(prompt="A lamp [[sandbox files=fewer]]", count=3)
    made = OPENAI.make(request, to=target("gpt-image-2", count=3))
    assert (len(made.files), made.use.item_count) == (2, 2)
