"""Replicate's predictions and errors as we read them."""

import contextlib
import json
import random

import pytest

from gateway.operations.media import MadeFile, MediaUse
from gateway.providers.base import UpstreamError, UpstreamFailure, UpstreamInvalid, UpstreamRefused
from gateway.providers.media import Made, MediaTarget, Progress, Running, Stopped
from gateway.providers.replicate import PROVIDER
from tests.gateway.replicate_runs import (
    ANSWERS,
    ERRORS,
    ID,
    PRO,
    REQUEST,
    SCHNELL,
    TARGET,
    answer,
    polled,
    recorded,
)

FILES = [f"https://replicate.delivery/xezq/9fRtQ0vKe3sXaC1nT7/out-{index}.png" for index in (0, 1)]


def test_a_submission_is_read_whether_it_runs_or_is_done() -> None:
    for status in (200, 201, 202):
        begun = PROVIDER.parse_submission(REQUEST, TARGET, answer(recorded("starting"), status))
        assert begun == Running(upstream_id=ID)
    done = PROVIDER.parse_submission(REQUEST, TARGET, answer(recorded("succeeded"), 201))
    assert isinstance(done, Made)


@pytest.mark.parametrize(
    ("name", "progress"),
    [
        ("starting", Running(upstream_id=ID)),
        ("processing", Running(upstream_id=ID, progress=0.75)),
        ("processing_half", Running(upstream_id=ID)),
        ("canceled", Stopped(billed=True)),
        ("aborted", Stopped(billed=False)),
    ],
)
def test_a_status_becomes_ours(name: str, progress: Progress) -> None:
    assert polled(recorded(name)) == progress


@pytest.mark.parametrize("name", ["succeeded", "processing_done"])
def test_a_whole_output_is_done_whatever_the_status(name: str) -> None:
    use = MediaUse(item_count=2, size="1344x768", quality="standard")
    files = tuple(MadeFile(url=address) for address in FILES)
    assert polled(recorded(name)) == Made(files=files, use=use)


def test_an_output_may_be_one_address() -> None:
    made = polled(recorded("succeeded_one"), MediaTarget(model=PRO))
    assert isinstance(made, Made)
    assert [file.url for file in made.files] == [
        "https://replicate.delivery/czjl/4hGm2QmPq0x/tmpv6k2c1.webp"
    ]
    assert made.use.item_count == 1


def test_what_was_held_back_is_counted_and_not_used() -> None:
    made = polled(recorded("succeeded_blocked"))
    assert isinstance(made, Made)
    assert ([file.url for file in made.files], made.blocked) == (FILES[1:], 1)
    assert made.use.item_count == 1


def test_more_than_was_asked_for_is_left_behind() -> None:
    made = polled(recorded("succeeded"), MediaTarget(model=SCHNELL, count=1))
    assert isinstance(made, Made)
    assert ([file.url for file in made.files], made.use.item_count, made.blocked) == (
        FILES[:1],
        1,
        0,
    )


def test_a_file_may_be_written_out_in_its_address() -> None:
    body = b'{"id":"a1","status":"succeeded","output":"data:image/png;base64,iVBORw0="}'
    made = polled(body, MediaTarget(model=PRO))
    assert isinstance(made, Made)
    assert made.files == (MadeFile(data=b"\x89PNG\r", media_type="image/png"),)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "failed_nsfw",
            "All generated images contained NSFW content. Try running it again with a different "
            "prompt.",
        ),
        (
            "failed_sensitive",
            "The input or output was flagged as sensitive. Please try again with different inputs.",
        ),
    ],
)
def test_a_prompt_at_fault_is_refused_in_clean_words(name: str, message: str) -> None:
    with pytest.raises(UpstreamRefused) as failed:
        polled(recorded(name))
    assert failed.value.message == message
    assert (failed.value.status, failed.value.retryable) == (400, False)
    assert failed.value.details == {"param": "prompt"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("failed_interrupted", "Prediction interrupted; please retry"),
        (
            "failed_traceback",
            "RuntimeError: worker of [id] could not write [path], see [link] or [link]",
        ),
        ("failed_silent", "The provider failed to make this."),
        (
            "succeeded_removed",
            "The provider deleted what it made before it could be fetched.",
        ),
    ],
)
def test_a_model_that_failed_has_failed_for_good(name: str, message: str) -> None:
    with pytest.raises(UpstreamError) as failed:
        polled(recorded(name))
    assert (failed.value.message, failed.value.retryable) == (message, False)


def test_a_success_without_files_is_refused_or_no_answer() -> None:
    with pytest.raises(UpstreamRefused):
        polled(b'{"id":"a1","status":"succeeded","output":[]}')
    for output in (b"null", b"7", b'{"a":1}', b'["ftp://x/y"]', b'"data:image/png;base64,@"'):
        with pytest.raises(UpstreamInvalid) as failed:
            polled(b'{"id":"a1","status":"succeeded","output":%s}' % output)
        assert not failed.value.retryable


def test_an_unknown_status_goes_on() -> None:
    assert polled(b'{"id":"a1","status":"booting"}') == Running(upstream_id="a1")


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_cut_anywhere_is_no_answer(name: str) -> None:
    body = recorded(name).rstrip()
    for end in range(len(body)):
        with pytest.raises(UpstreamInvalid) as asked:
            polled(body[:end])
        with pytest.raises(UpstreamInvalid) as begun:
            PROVIDER.parse_submission(REQUEST, TARGET, answer(body[:end], 201))
        assert (asked.value.retryable, begun.value.retryable) == (True, False)
        assert PROVIDER.upstream_id_of(body[:end]) is None


@pytest.mark.parametrize("name", ANSWERS)
def test_a_garbled_answer_is_read_or_fails(name: str) -> None:
    body = recorded(name)
    chance = random.Random(name)  # noqa: S311  it picks places, no secrets
    for _ in range(300):
        garbled = bytearray(body)
        for _ in range(chance.randint(1, 5)):
            garbled[chance.randrange(len(body))] = chance.randrange(256)
        with contextlib.suppress(UpstreamFailure):
            assert isinstance(polled(bytes(garbled)), Running | Made | Stopped)
        PROVIDER.upstream_id_of(bytes(garbled))


@pytest.mark.parametrize("upstream_id", ["", "a/b", "../x", "a b", "é", "x" * 129])
def test_an_id_that_is_none_is_not_read(upstream_id: str) -> None:
    body = json.dumps({"id": upstream_id, "status": "starting"}).encode()
    assert PROVIDER.upstream_id_of(body) is None
    with pytest.raises(UpstreamInvalid):
        polled(body)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("error_401_token", (502, "upstream_error", False)),
        ("error_402_credit", (503, "upstream_quota", False)),
        ("error_403_limit", (503, "upstream_quota", False)),
        ("error_404_missing", (502, "upstream_error", False)),
        ("error_422_input", (400, "invalid_request_error", False)),
        ("error_422_enum", (400, "invalid_request_error", False)),
        ("error_429_throttled", (503, "upstream_overloaded", True)),
        ("error_500_server", (502, "upstream_error", True)),
    ],
)
def test_an_error_of_theirs_becomes_ours(name: str, shown: tuple[int, str, bool]) -> None:
    status = int(name.split("_")[1])
    failure = PROVIDER.parse_error(status, {}, recorded(name))
    assert (failure.status, failure.code, failure.retryable) == shown
    assert failure.provider_status == status
    for secret in (*PROVIDER.hosts, "http", ".com", ID):
        assert secret not in failure.message


@pytest.mark.parametrize("name", ERRORS)
def test_a_cut_error_is_still_an_error(name: str) -> None:
    body, status = recorded(name), int(name.split("_")[1])
    for end in range(len(body)):
        assert PROVIDER.parse_error(status, {}, body[:end]).provider_status == status


def test_a_refused_field_is_named_in_their_words() -> None:
    failure = PROVIDER.parse_error(422, {}, recorded("error_422_enum"))
    assert failure.message == (
        '- input.aspect_ratio: aspect_ratio must be one of the following: "1:1", "16:9"'
    )
    assert failure.details == {"param": "aspect_ratio"}


@pytest.mark.parametrize(
    ("text", "headers", "retry_after"),
    [
        ("Your rate limit resets in ~30s.", {}, "30"),
        ("Your rate limit resets in ~30s.", {"retry-after": "2"}, "2"),
        ("Request was throttled. Expected available in 1 second.", {}, "1"),
        ("Request was throttled.", {}, "5"),
    ],
)
def test_when_to_come_back_may_stand_in_the_text(
    text: str, headers: dict[str, str], retry_after: str
) -> None:
    body = json.dumps({"detail": text}).encode()
    failure = PROVIDER.parse_error(429, headers, body)
    assert failure.headers == {"Retry-After": retry_after}


@pytest.mark.parametrize(("status", "retryable"), [(404, False), (429, True), (503, True)])
def test_a_poll_that_fails_is_asked_again_unless_the_prediction_is_gone(
    status: int, retryable: bool
) -> None:
    with pytest.raises(UpstreamFailure) as failed:
        PROVIDER.parse_poll(REQUEST, TARGET, answer(recorded("error_404_missing"), status))
    assert failed.value.retryable is retryable
