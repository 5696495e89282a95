"""What every provider must do whose answer to a submission holds the pictures.

The evidence is `tests/gateway/replies/<slug>/images/`: answers, and `error_<status>_*.json`, of
which those with 200 are failures all the same.
"""

import contextlib
import random
from pathlib import Path

import pytest

from gateway.operations.image import ImageRequest
from gateway.providers.base import UpstreamAnswer, UpstreamFailure
from gateway.providers.media import Made, MediaProvider, MediaTarget, makes_media
from gateway.providers.openai import PROVIDER as OPENAI
from gateway.providers.openrouter import PROVIDER as OPENROUTER
from gateway.providers.stability import PROVIDER as STABILITY
from tests.gateway.image_requests import REPLIES, asked, read, target

KEY = "sk-canary-5f0c2d"
PROVIDERS: dict[str, MediaProvider] = {
    "openai": OPENAI,
    "openrouter": OPENROUTER,
    "stability": STABILITY,
}
TARGETS = {
    "openai": target("gpt-image-2", count=2),
    "openrouter": target("openai/gpt-image-2", count=2),
    "stability": target("sd3.5-medium"),
}
EVERYTHING = asked(
    width=1792,
    height=1024,
    exact_size=True,
    size="1792x1024",
    quality="standard",
    style="vivid",
    user="user-7",
)
each_provider = pytest.mark.parametrize("slug", sorted(PROVIDERS))


def recorded(pattern: str) -> pytest.MarkDecorator:
    """Run a test for each recorded reply of each provider."""
    found = [
        (slug, path)
        for slug in sorted(PROVIDERS)
        for path in sorted((REPLIES / slug / "images").glob(pattern))
    ]
    names = [f"{slug}-{path.stem}" for slug, path in found]
    return pytest.mark.parametrize(("slug", "path"), found, ids=names)


each_answer = recorded("[!e]*.json")
each_error = recorded("error_*.json")


def read_by(slug: str, body: bytes, status: int = 200) -> Made:
    """Read an answer as a provider does."""
    return read(PROVIDERS[slug], body, status=status, to=TARGETS[slug])


def status_of(path: Path) -> int:
    """Read the HTTP status from the name of a recorded error."""
    return int(path.stem.split("_")[1])


@each_provider
def test_a_provider_of_images_says_so_and_answers_at_once(slug: str) -> None:
    provider, to = PROVIDERS[slug], TARGETS[slug]
    assert makes_media(provider, "image")
    assert not makes_media(provider, "music")
    assert (provider.file_hosts, provider.file_headers(KEY)) == ((), {})
    assert provider.build_cancel(to, "x") is None
    assert provider.patience_s(asked(), target(to.model, deadline_s=7)) == 7
    assert provider.patience_s(asked(), target(to.model, deadline_s=9000)) < 9000


@each_provider
def test_the_key_travels_only_in_headers(slug: str) -> None:
    provider = PROVIDERS[slug]
    sent = provider.build_submission(EVERYTHING, TARGETS[slug])
    assert provider.auth(KEY) == {"authorization": f"Bearer {KEY}"}
    assert KEY not in sent.path
    assert KEY.encode() not in sent.body
    assert "://" not in sent.path
    assert set(sent.headers).isdisjoint(provider.auth(KEY))
    assert {name.lower() for name in sent.headers} == set(sent.headers)


@each_provider
def test_building_is_the_same_twice_and_leaves_the_request_as_it_was(slug: str) -> None:
    provider, to = PROVIDERS[slug], TARGETS[slug]
    before = repr(EVERYTHING)
    assert provider.build_submission(EVERYTHING, to) == provider.build_submission(EVERYTHING, to)
    assert repr(EVERYTHING) == before


@each_provider
def test_a_field_the_model_refuses_is_neither_sent_nor_named(slug: str) -> None:
    provider = PROVIDERS[slug]
    model = TARGETS[slug].model
    odd = asked(seed=2**40, background="transparent", output_format="jpeg", moderation="low")
    without = target(model, drop_parameters=("seed", "background", "moderation", "output_format"))
    assert provider.unsupported_media(odd, target(model)) is not None
    assert provider.unsupported_media(odd, without) is None
    plain = provider.build_submission(asked(), target(model))
    assert provider.build_submission(odd, without) == plain


@each_answer
def test_an_answer_is_read_with_the_words_it_was_priced_by(slug: str, path: Path) -> None:
    request = asked(size="1024x1024", quality="standard")
    body = path.read_bytes()
    to = target(TARGETS[slug].model, count=2, drop_parameters=("quality",))
    made = read(PROVIDERS[slug], body, request=request, to=to)
    assert made.use.item_count == len(made.files) >= 1
    assert (made.use.size, made.use.quality) == ("1024x1024", "standard")
    assert all(file.data and not file.url for file in made.files)


@each_answer
def test_an_answer_cut_anywhere_is_no_answer(slug: str, path: Path) -> None:
    body = path.read_bytes().rstrip()
    for end in range(len(body)):
        with pytest.raises(UpstreamFailure) as failed:
            read_by(slug, body[:end])
        assert (failed.value.status, failed.value.code) == (502, "upstream_invalid_response")


@each_answer
def test_a_garbled_answer_is_read_or_refused(slug: str, path: Path) -> None:
    body = path.read_bytes()
    chance = random.Random(path.name)  # noqa: S311  it picks places, no secrets
    for _ in range(500):
        garbled = bytearray(body)
        for _ in range(chance.randint(1, 5)):
            garbled[chance.randrange(len(body))] = chance.randrange(256)
        with contextlib.suppress(UpstreamFailure):
            made = read_by(slug, bytes(garbled))
            assert made.use.item_count == len(made.files) >= 1


@each_error
def test_an_error_names_no_host_no_key_and_no_id(slug: str, path: Path) -> None:
    with pytest.raises(UpstreamFailure) as failed:
        read_by(slug, path.read_bytes(), status_of(path))
    assert failed.value.provider_status is not None
    assert 400 <= failed.value.status <= 504
    assert failed.value.message != ""
    for secret in (*PROVIDERS[slug].hosts, "http", "sk-", "org-", "req_", ".com", "b68e1d8f"):
        assert secret not in failed.value.message


@each_error
def test_a_cut_error_is_still_an_error(slug: str, path: Path) -> None:
    body = path.read_bytes().rstrip()
    for end in range(len(body)):
        with pytest.raises(UpstreamFailure):
            read_by(slug, body[:end], status_of(path))


@each_provider
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Bad gateway</html>",
        b"null",
        b"[]",
        b'{"data":[]}',
        b'{"data":null}',
        b'{"data":[{}]}',
        b'{"data":[null,7,"text"]}',
        b'{"data":[{"b64_json":""}]}',
        b'{"data":[{"b64_json":"no base64"}]}',
        b'{"data":[{"url":"https://files.example.com/a.png"}]}',
        b'{"image":"","finish_reason":"SUCCESS"}',
        b'{"image":"no base64"}',
        b'{"image":null}',
    ],
)
def test_a_success_without_a_picture_is_invalid(slug: str, body: bytes) -> None:
    with pytest.raises(UpstreamFailure) as failed:
        read_by(slug, body)
    assert (failed.value.status, failed.value.code) == (502, "upstream_invalid_response")


@each_provider
@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"width": 4000, "height": 1000}, "size"),
        ({"width": 1000, "height": 4000}, "size"),
        ({"width": 8192, "height": 8192}, "size"),
        ({"prompt": "a" * 32_001}, "prompt"),
        ({"background": "transparent", "output_format": "jpeg"}, "background"),
        ({"output_format": "png", "output_compression": 50}, "output_compression"),
        ({"seed": -1, "count": 2}, "seed"),
    ],
)
def test_what_no_provider_can_serve_is_named(
    slug: str, fields: dict[str, object], field: str
) -> None:
    assert PROVIDERS[slug].unsupported_media(asked(**fields), TARGETS[slug]) == field


@each_provider
def test_a_plain_request_and_a_full_one_can_be_served(slug: str) -> None:
    to: MediaTarget = TARGETS[slug]
    for request in (asked(), EVERYTHING, asked(background="opaque", moderation="auto")):
        assert isinstance(request, ImageRequest)
        assert PROVIDERS[slug].unsupported_media(request, to) is None


@each_provider
def test_an_error_without_a_body_is_read_by_its_status(slug: str) -> None:
    answer = UpstreamAnswer(status=503, headers={}, body=b"")
    with pytest.raises(UpstreamFailure) as failed:
        PROVIDERS[slug].parse_submission(asked(), TARGETS[slug], answer)
    assert (failed.value.provider_status, failed.value.retryable) == (503, True)
