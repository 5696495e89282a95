"""The official SDK finds in the sandbox what it would find at Replicate."""

import contextlib
import io
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from PIL import Image
from replicate.client import Client
from replicate.exceptions import ModelError, ReplicateError
from replicate.helpers import FileOutput
from replicate.prediction import Prediction
from replicate.webhook import InvalidSignatureError, InvalidTimestampError

from tests.sandbox.receiver import Message, receiving

SCHNELL, DEV = "black-forest-labs/flux-schnell", "black-forest-labs/flux-dev"
PRO, PRO_1 = "black-forest-labs/flux-1.1-pro", "black-forest-labs/flux-pro"
FOREVER = "[[sandbox running_ms=600000]]"


@pytest.fixture
def connect(sandbox_url: str) -> Iterator[Callable[[str], Client]]:
    """Call the sandbox with the official SDK and a key."""
    with contextlib.ExitStack() as undo:

        def made(key: str) -> Client:
            client = Client(api_token=key, base_url=f"{sandbox_url}/replicate")
            client.poll_interval = 0.02
            undo.callback(lambda: client._client.close())
            return client

        yield made


@pytest.fixture
def client(connect: Callable[[str], Client]) -> Client:
    """Call the sandbox from an account of its own."""
    return connect(f"r8_{uuid4().hex}")


def begin(client: Client, prompt: str, model: str = SCHNELL, **given: object) -> Prediction:
    """Begin a prediction without waiting for it."""
    return client.models.predictions.create(model, input={"prompt": prompt, **given})


def finished(prediction: Prediction) -> Prediction:
    """Wait for a prediction as the SDK does."""
    prediction.wait()
    return prediction


def urls_of(prediction: Prediction) -> list[str]:
    """Give the addresses of what a prediction made."""
    assert isinstance(prediction.output, list)
    return prediction.output


def image_at(client: Client, url: str) -> tuple[str | None, tuple[int, int]]:
    """Fetch a picture as the SDK does, and tell its format and pixels."""
    with Image.open(io.BytesIO(FileOutput(url, client).read())) as image:
        image.load()
        return image.format, image.size


def checked(client: Client, message: Message, *, tolerance: int = 60) -> None:
    """Check a message with the SDK and the account's secret."""
    secret = client.webhooks.default.secret()
    client.webhooks.validate(
        headers=message.headers, body=message.body.decode(), secret=secret, tolerance=tolerance
    )


@pytest.mark.parametrize(
    ("model", "given", "kind", "size"),
    [
        (SCHNELL, {}, "WEBP", (1024, 1024)),
        (SCHNELL, {"aspect_ratio": "16:9", "output_format": "png"}, "PNG", (1344, 768)),
        (SCHNELL, {"aspect_ratio": "9:21", "megapixels": "0.25"}, "WEBP", (320, 768)),
        (DEV, {"aspect_ratio": "3:4", "output_format": "jpg"}, "JPEG", (896, 1152)),
        (PRO, {"aspect_ratio": "custom", "width": 500, "height": 300}, "WEBP", (512, 288)),
        (PRO_1, {"aspect_ratio": "3:2"}, "WEBP", (1216, 832)),
    ],
)
def test_run_gives_pictures_of_the_asked_shape(
    client: Client,
    model: str,
    given: dict[str, object],
    kind: str,
    size: tuple[int, int],
) -> None:
    output: Any = client.run(model, input={"prompt": "a lighthouse", **given})
    urls = output if isinstance(output, list) else [output]
    assert isinstance(output, list) == (model in (SCHNELL, DEV))
    assert [image_at(client, url) for url in urls] == [(kind, size)]


def test_several_pictures_differ_and_come_again_by_prompt_and_seed(
    client: Client,
) -> None:
    def pictures(prompt: str, **given: Any) -> list[bytes]:
        done = finished(begin(client, prompt, num_outputs=2, megapixels="0.25", **given))
        return [FileOutput(url, client).read() for url in urls_of(done)]

    first = pictures("a lighthouse", seed=7)
    assert len(set(first)) == 2
    assert pictures("a lighthouse", seed=7) == first
    assert pictures("a lighthouse", seed=8) != first
    assert pictures("a harbour") != pictures("a lighthouse")


def test_a_prediction_starts_processes_and_succeeds(client: Client) -> None:
    prompt = "[[sandbox starting_ms=0 running_ms=600000]] a lighthouse"
    begun = begin(client, prompt, DEV, num_inference_steps=30)
    assert (begun.status, begun.output, begun.error) == ("processing", None, None)
    assert begun.logs is not None
    assert begun.logs.splitlines()[1].endswith("| 0/30 [00:00<00:00,  7.91it/s]")
    waiting = begin(client, "[[sandbox starting_ms=600000]]")
    waiting.reload()
    assert (waiting.status, waiting.started_at) == ("starting", None)
    done = finished(begin(client, "a lighthouse"))
    assert (done.status, done.version, done.model) == ("succeeded", "hidden", SCHNELL)
    assert done.progress is not None
    assert (done.progress.current, done.progress.total) == (4, 4)
    assert done.metrics is not None
    assert (done.metrics["total_time"], done.metrics["predict_time"]) == (0.2, 0.15)
    assert done.started_at is not None
    assert done.completed_at is not None


def test_every_request_begins_another_prediction(client: Client) -> None:
    begun = [begin(client, "a lighthouse").id for _ in range(3)]
    assert len(set(begun)) == 3
    listed = client.predictions.list().results
    assert [one.id for one in listed] == begun[::-1]


def test_pages_have_a_hundred_predictions(client: Client) -> None:
    begun = [begin(client, "a lighthouse").id for _ in range(101)]
    page = client.predictions.list()
    assert page.next is not None
    assert [one.id for one in page.results] == begun[:0:-1]
    rest = client.predictions.list(page.next)
    assert ([one.id for one in rest.results], rest.next) == (begun[:1], None)


def test_a_version_may_name_the_model(client: Client) -> None:
    hashed = "a" * 64
    done = finished(client.predictions.create(version=f"{SCHNELL}:{hashed}", input={"prompt": "p"}))
    assert (done.status, done.version) == ("succeeded", hashed)
    with pytest.raises(ReplicateError, match="The specified version does not exist"):
        client.predictions.create(version=hashed, input={"prompt": "p"})


def test_a_cancel_ends_a_prediction_and_comes_too_late_for_one_that_ended(
    client: Client,
) -> None:
    begun = begin(client, f"{FOREVER}[[sandbox starting_ms=0]]")
    begun.cancel()
    assert (begun.status, begun.output) == ("canceled", None)
    assert client.predictions.get(begun.id).status == "canceled"
    done = finished(begin(client, "a lighthouse"))
    assert client.predictions.cancel(done.id).status == "succeeded"


def test_another_account_sees_nothing_of_it(
    client: Client, connect: Callable[[str], Client]
) -> None:
    begun = begin(client, "a lighthouse")
    other = connect("r8_other")
    for act in (other.predictions.get, other.predictions.cancel):
        with pytest.raises(ReplicateError) as refused:
            act(begun.id)
        assert refused.value.status == 404


async def test_the_async_client_works_too(client: Client) -> None:
    output: Any = await client.async_run(SCHNELL, input={"prompt": "a lighthouse"})
    begun = await client.models.predictions.async_create(SCHNELL, input={"prompt": FOREVER})
    canceled = await client.predictions.async_cancel(begun.id)
    page = await client.predictions.async_list()
    data = await FileOutput(output[0], client).aread()
    await client._async_client.aclose()
    assert canceled.status == "canceled"
    assert len(page.results) == 2
    assert data[:4] == b"RIFF"


@pytest.mark.parametrize(
    ("word", "error"),
    [
        ("nsfw", "All generated images contained NSFW content. Try running it again with a "),
        ("sensitive", "The input or output was flagged as sensitive."),
        ("memory", "CUDA out of memory."),
        ("interrupted", "Prediction interrupted; please retry (code: PA)"),
        ("whatever", "The sandbox was asked to fail."),
    ],
)
def test_a_model_that_fails_says_why(client: Client, word: str, error: str) -> None:
    with pytest.raises(ModelError) as failed:
        client.run(SCHNELL, input={"prompt": f"[[sandbox fail={word}]]"})
    assert str(failed.value).startswith(error)
    assert failed.value.prediction.output is None


def test_blocked_pictures_are_left_out(client: Client) -> None:
    done = finished(begin(client, "[[sandbox blocked=1]]", num_outputs=3))
    assert len(urls_of(done)) == 2
    none = finished(begin(client, "[[sandbox blocked=3]]", num_outputs=3))
    assert (none.status, none.output) == ("failed", None)


def test_output_and_files_go_after_their_time(client: Client) -> None:
    gone = finished(begin(client, "[[sandbox expire_ms=0]]"))
    assert (gone.status, gone.output, gone.input, gone.logs) == ("succeeded", None, {}, "")
    kept = finished(begin(client, "a lighthouse"))
    (url,) = urls_of(kept)
    url = url.replace(kept.id, gone.id)
    with pytest.raises(httpx.HTTPStatusError) as missing:
        FileOutput(url, client).read()
    assert missing.value.response.status_code == 404


def test_a_file_is_not_there_before_the_end(client: Client) -> None:
    begun = begin(client, FOREVER)
    done = finished(begin(client, "a lighthouse"))
    (made,) = urls_of(done)
    for url in (made.replace(done.id, begun.id), made.replace("-0", "-1")):
        with pytest.raises(httpx.HTTPStatusError):
            FileOutput(url, client).read()


@pytest.mark.parametrize(
    ("key", "status", "title"),
    [
        ("r8_invalid", 401, "Unauthenticated"),
        ("r8_quota", 402, "Insufficient credit"),
        ("r8_ratelimited", 429, "Request was throttled"),
    ],
)
def test_a_key_may_name_its_error(
    connect: Callable[[str], Client], key: str, status: int, title: str
) -> None:
    with pytest.raises(ReplicateError) as refused:
        begin(connect(key), "a lighthouse")
    assert (refused.value.status, refused.value.title) == (status, title)


@pytest.mark.parametrize(
    ("model", "given", "detail"),
    [
        (SCHNELL, {"num_outputs": 5}, "- input.num_outputs: Must be less than or equal to 4\n"),
        (SCHNELL, {"width": 512}, "- input: Additional property width is not allowed\n"),
        (PRO, {"num_outputs": 1}, "- input: Additional property num_outputs is not allowed\n"),
        (PRO, {"width": 100}, "- input.width: Must be greater than or equal to 256\n"),
        (
            DEV,
            {"seed": "7"},
            "- input.seed: Invalid type. Expected: integer, given: string\n",
        ),
        (
            SCHNELL,
            {"output_format": "jpeg"},
            '- input.output_format: output_format must be one of the following: "webp", "jpg", '
            '"png"\n',
        ),
    ],
)
def test_a_wrong_input_is_refused_in_their_words(
    client: Client, model: str, given: dict[str, object], detail: str
) -> None:
    with pytest.raises(ReplicateError) as refused:
        begin(client, "a lighthouse", model, **given)
    assert (refused.value.status, refused.value.detail) == (422, detail)
    assert client.predictions.list().results == []


def test_an_unknown_model_is_not_found(client: Client) -> None:
    with pytest.raises(ReplicateError) as refused:
        begin(client, "a lighthouse", "black-forest-labs/flux-9")
    assert refused.value.status == 404


def test_webhooks_are_signed_and_say_what_a_get_says(client: Client) -> None:
    with receiving() as receiver:
        begun = client.models.predictions.create(
            SCHNELL,
            input={"prompt": "a lighthouse"},
            webhook=receiver.url,
            webhook_events_filter=["start", "completed"],
        )
        messages = [receiver.next(), receiver.next()]
    for message in messages:
        checked(client, message)
    shown = {one.status: one for one in (Prediction.parse_raw(m.body) for m in messages)}
    assert {one.id for one in shown.values()} == {begun.id}
    assert set(shown) == {"processing", "succeeded"}
    begun.reload()
    assert shown["succeeded"].dict() == begun.dict()


def test_a_message_that_was_not_taken_comes_again(client: Client) -> None:
    with receiving(500, 503) as receiver:
        client.models.predictions.create(
            SCHNELL,
            input={"prompt": "a lighthouse"},
            webhook=receiver.url,
            webhook_events_filter=["completed"],
        )
        messages = [receiver.next() for _ in range(3)]
    assert len({message.headers["webhook-id"] for message in messages}) == 1
    checked(client, messages[2])


def test_a_cancel_is_announced(client: Client) -> None:
    with receiving() as receiver:
        begun = client.models.predictions.create(
            SCHNELL,
            input={"prompt": FOREVER},
            webhook=receiver.url,
            webhook_events_filter=["completed"],
        )
        begun.cancel()
        message = receiver.next()
    assert Prediction.parse_raw(message.body).status == "canceled"


@pytest.mark.parametrize(
    ("word", "error"), [("forged", InvalidSignatureError), ("old", InvalidTimestampError)]
)
def test_a_spoiled_message_is_refused_by_the_sdk(
    client: Client, word: str, error: type[Exception]
) -> None:
    with receiving() as receiver:
        client.models.predictions.create(
            SCHNELL,
            input={"prompt": f"[[sandbox webhooks={word}]]"},
            webhook=receiver.url,
            webhook_events_filter=["completed"],
        )
        message = receiver.next()
    with pytest.raises(error):
        checked(client, message)


def test_a_message_may_come_twice(client: Client) -> None:
    with receiving() as receiver:
        client.models.predictions.create(
            SCHNELL,
            input={"prompt": "[[sandbox webhooks=twice]]"},
            webhook=receiver.url,
            webhook_events_filter=["completed"],
        )
        messages = [receiver.next(), receiver.next()]
    assert messages[0].body == messages[1].body


def test_the_account_is_an_organization(client: Client) -> None:
    assert client.accounts.current().username == "sandbox"
