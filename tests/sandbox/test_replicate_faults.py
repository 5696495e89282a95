"""Faults of the double of Replicate, as our own provider sees them."""

import http.client
import io
import json
from uuid import uuid4

import pytest
from PIL import Image

from gateway.operations.image import ImageRequest
from gateway.providers.base import (
    UpstreamAnswer,
    UpstreamFailure,
    UpstreamInvalid,
    UpstreamOverloaded,
    UpstreamRefused,
    UpstreamRequest,
)
from gateway.providers.media import Made, MediaTarget, Progress, Running, Stopped
from gateway.providers.replicate import PROVIDER
from sandbox.replicate_webhooks import SECRET
from tests.sandbox.caller import Answer, Caller
from tests.sandbox.receiver import receiving

TARGET = MediaTarget(model="black-forest-labs/flux-schnell", count=2)
KEY = "r8_faults"
BROKEN = (ConnectionResetError, http.client.RemoteDisconnected)


def asked(prompt: str) -> ImageRequest:
    """Ask for two small pictures."""
    return ImageRequest(prompt=prompt, count=2, width=300, height=300)


def send(caller: Caller, request: UpstreamRequest) -> Answer:
    """Send what the provider wrote."""
    headers = {**request.headers, **PROVIDER.auth(KEY)}
    path = f"/replicate/v1{request.path}"
    return caller.send(request.method, path, body=request.body or None, headers=headers)


def upstream(answer: Answer) -> UpstreamAnswer:
    """Give an answer as the provider takes it."""
    return UpstreamAnswer(status=answer.status, headers=answer.headers, body=answer.body)


def submit(caller: Caller, prompt: str, target: MediaTarget = TARGET) -> Progress:
    """Begin a run."""
    request = asked(prompt)
    answer = send(caller, PROVIDER.build_submission(request, target))
    return PROVIDER.parse_submission(request, target, upstream(answer))


def begun(caller: Caller, prompt: str) -> str:
    """Begin a run and give its id."""
    progress = submit(caller, prompt)
    assert isinstance(progress, Running)
    return progress.upstream_id


def poll(caller: Caller, upstream_id: str) -> Progress:
    """Ask once how a run stands."""
    answer = send(caller, PROVIDER.build_poll(TARGET, upstream_id))
    return PROVIDER.parse_poll(asked("p"), TARGET, upstream(answer))


def ended(caller: Caller, upstream_id: str) -> Progress:
    """Ask until a run has ended."""
    while isinstance(progress := poll(caller, upstream_id), Running):
        pass
    return progress


def fetched(caller: Caller, url: str) -> Answer:
    """Fetch a file."""
    headers = PROVIDER.file_headers(KEY)
    return caller.send("GET", url.removeprefix(caller.url), headers=headers)


def listed(caller: Caller, prompt: str) -> list[str]:
    """List the runs that have begun with a prompt."""
    answer = caller.send("GET", "/replicate/v1/predictions", headers=PROVIDER.auth(KEY))
    return [one["id"] for one in answer.json()["results"] if one["input"]["prompt"] == prompt]


def test_a_run_goes_from_the_submission_to_real_pictures(caller: Caller) -> None:
    made = ended(caller, begun(caller, "a lighthouse"))
    assert isinstance(made, Made)
    assert made.use.item_count == 2
    for file in made.files:
        answer = fetched(caller, file.url)
        assert answer.headers["content-type"] == "image/webp"
        with Image.open(io.BytesIO(answer.body)) as image:
            assert (image.format, image.size) == ("WEBP", (512, 512))


def test_a_run_ends_by_a_message_as_by_a_poll(caller: Caller) -> None:
    with receiving() as receiver:
        target = MediaTarget(model=TARGET.model, count=2, callback_url=receiver.url)
        progress = submit(caller, "a lighthouse", target)
        message = receiver.next()
    assert isinstance(progress, Running)
    at_s = float(message.headers["webhook-timestamp"])
    assert PROVIDER.is_genuine(message.headers, message.body, secret=SECRET, now_s=at_s)
    assert not PROVIDER.is_genuine(message.headers, message.body, secret=SECRET, now_s=at_s + 301)
    assert PROVIDER.upstream_id_of(message.body) == progress.upstream_id
    told = UpstreamAnswer(status=200, headers={}, body=message.body)
    assert PROVIDER.parse_poll(asked("p"), target, told) == poll(caller, progress.upstream_id)


def test_a_cancel_stops_a_run(caller: Caller) -> None:
    upstream_id = begun(caller, "[[sandbox running_ms=600000]]")
    cancel = PROVIDER.build_cancel(TARGET, upstream_id)
    assert cancel is not None
    answer = send(caller, cancel)
    assert PROVIDER.parse_poll(asked("p"), TARGET, upstream(answer)) == Stopped(billed=True)
    assert poll(caller, upstream_id) == Stopped(billed=True)


def test_an_aborted_run_is_not_billed(caller: Caller) -> None:
    upstream_id = begun(caller, "[[sandbox fail=aborted starting_ms=0 running_ms=1]]")
    assert ended(caller, upstream_id) == Stopped(billed=False)


@pytest.mark.parametrize("word", ["nsfw", "sensitive"])
def test_a_refused_prompt_names_nobody(caller: Caller, word: str) -> None:
    with pytest.raises(UpstreamRefused) as failed:
        ended(caller, begun(caller, f"[[sandbox fail={word}]]"))
    assert "(" not in failed.value.message


def test_a_models_traceback_is_cleaned(caller: Caller) -> None:
    upstream_id = begun(caller, "[[sandbox fail=traceback]]")
    with pytest.raises(UpstreamFailure) as failed:
        ended(caller, upstream_id)
    assert failed.value.message == "RuntimeError: No more room at [link]"


def test_some_pictures_held_back_are_counted(caller: Caller) -> None:
    made = ended(caller, begun(caller, "[[sandbox blocked=1]]"))
    assert isinstance(made, Made)
    assert (len(made.files), made.blocked, made.use.item_count) == (1, 1, 1)


@pytest.mark.parametrize("fault", ["drop", "cut_at=40"])
def test_an_answer_that_is_lost_leaves_a_run_behind(caller: Caller, fault: str) -> None:
    prompt = f"[[sandbox {fault}]] {uuid4().hex}"
    with pytest.raises((*BROKEN, http.client.IncompleteRead)):
        submit(caller, prompt)
    assert len(listed(caller, prompt)) == 1


@pytest.mark.parametrize("fault", ["html", "empty", "wrong_json", "status=500 code=begun"])
def test_an_answer_that_cannot_be_read_leaves_a_run_behind(caller: Caller, fault: str) -> None:
    prompt = f"[[sandbox {fault}]] {uuid4().hex}"
    with pytest.raises(UpstreamFailure) as failed:
        submit(caller, prompt)
    assert failed.value.status == 502
    assert len(listed(caller, prompt)) == 1


@pytest.mark.parametrize("fault", ["status=500", "status=402", "status=429", "reject=prompt"])
def test_a_refused_submission_begins_nothing(caller: Caller, fault: str) -> None:
    prompt = f"[[sandbox {fault}]] {uuid4().hex}"
    with pytest.raises(UpstreamFailure):
        submit(caller, prompt)
    assert listed(caller, prompt) == []


@pytest.mark.parametrize(("word", "retry_after_s"), [("", 1), (" retry_after=9", 9)])
def test_a_limit_says_when_to_come_back(caller: Caller, word: str, retry_after_s: int) -> None:
    with pytest.raises(UpstreamOverloaded) as failed:
        submit(caller, f"[[sandbox status=429{word}]]")
    assert failed.value.retry_after_s == retry_after_s


def test_a_fault_may_strike_the_first_polls_only(caller: Caller) -> None:
    fault = f"[[sandbox at=poll status=503 times=2 tag={uuid4().hex}]]"
    upstream_id = begun(caller, fault)
    for _ in range(2):
        with pytest.raises(UpstreamFailure) as failed:
            poll(caller, upstream_id)
        assert failed.value.retryable
    assert isinstance(ended(caller, upstream_id), Made)


def test_a_poll_may_be_garbled_and_asked_again(caller: Caller) -> None:
    upstream_id = begun(caller, f"[[sandbox at=poll wrong_json times=1 tag={uuid4().hex}]]")
    with pytest.raises(UpstreamInvalid) as failed:
        poll(caller, upstream_id)
    assert failed.value.retryable
    assert isinstance(ended(caller, upstream_id), Made)


def test_faults_may_strike_files_and_cancels(caller: Caller) -> None:
    upstream_id = begun(caller, f"[[sandbox at=file,cancel status=500 times=2 tag={uuid4().hex}]]")
    made = ended(caller, upstream_id)
    assert isinstance(made, Made)
    cancel = PROVIDER.build_cancel(TARGET, upstream_id)
    assert cancel is not None
    statuses = [fetched(caller, made.files[0].url).status, send(caller, cancel).status]
    assert [*statuses, fetched(caller, made.files[0].url).status] == [500, 500, 200]


def test_a_file_may_break_off(caller: Caller) -> None:
    made = ended(caller, begun(caller, "[[sandbox at=file cut_at=100]]"))
    assert isinstance(made, Made)
    with pytest.raises((*BROKEN, http.client.IncompleteRead)):
        fetched(caller, made.files[0].url)


def test_an_unknown_word_is_refused(caller: Caller) -> None:
    request = PROVIDER.build_submission(asked("[[sandbox wobble=1]]"), TARGET)
    answer = send(caller, request)
    assert answer.status == 400
    assert json.loads(answer.body)["detail"].startswith("The sandbox cannot do wobble=1")
