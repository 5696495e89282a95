"""Speech by a runtime of one's own: by what it is spoken, and what is held for it."""

import time
import uuid

import msgspec
import pytest
from pytest_django import Settings

from gateway.errors import NoProvider
from gateway.idempotency import Claim
from gateway.media.errors import StorageUnavailable
from gateway.operations.speech import SpeechRequest
from gateway.runtime import Runtime
from gateway.speech.answers import Speech
from gateway.speech.cache import digest_of
from gateway.speech.quotes import SpeechTask, quote_speech
from gateway.speech.walk import synthesise
from studio.core.ids import new_id_text
from tests.gateway.job_stage import JobStage
from tests.gateway.speech_calls import GRANTED_UCR, new_text


def spoken_task(stage: JobStage, kind: str = "voice.default") -> SpeechTask:
    """Describe a text that the workspace has spoken."""
    return SpeechTask(
        id=new_id_text(),
        caller=stage.caller,
        surface="studio",
        channel="stable",
        app_id="app",
        user_ref="user",
        request=SpeechRequest(text=new_text()),
        started_s=time.perf_counter(),
        kind=kind,
    )


def test_a_sound_of_the_sandbox_is_never_given_for_a_model_s(stage: JobStage) -> None:
    async def digests(runtime: Runtime) -> tuple[bytes, bytes]:
        made = quote_speech(runtime, spoken_task(stage))
        real = msgspec.structs.replace(made.upstream, sandbox=False)
        return digest_of(made), digest_of(msgspec.structs.replace(made, upstream=real))

    of_sandbox, of_model = stage.run(digests)
    assert of_sandbox != of_model


def test_an_answer_that_cannot_be_kept_releases_its_hold_at_once(stage: JobStage) -> None:
    async def written(speech: Speech) -> tuple[bytes, str]:
        raise StorageUnavailable("The storage is away.")

    claim = Claim(key_digest=uuid.uuid4().bytes, request_digest=b"0" * 32)
    task = msgspec.structs.replace(spoken_task(stage), claim=claim)
    with pytest.raises(StorageUnavailable):
        stage.run(lambda runtime: synthesise(runtime, task, written=written))
    [usage] = stage.usage()
    assert (usage["status"], usage["reason"]) == ("failed", StorageUnavailable.code)
    assert usage["charge_ucr"] == 0
    assert stage.balance() == (GRANTED_UCR, 0)


def test_a_model_without_its_deployment_is_called_nowhere(
    stage: JobStage, settings: Settings
) -> None:
    async def address(runtime: Runtime) -> str:
        return quote_speech(runtime, spoken_task(stage, "speech.orpheus-fp8")).upstream.base_url

    settings.PROVIDER_KEYS = {"baseten": "a-key"}
    settings.DEPLOYMENT_BASE_URLS = {}
    with pytest.raises(NoProvider, match="orpheus-fp8"):
        stage.run(address)
    settings.DEPLOYMENT_BASE_URLS = {"baseten:orpheus-fp8": "https://model-a.api.baseten.co"}
    assert stage.run(address) == "https://model-a.api.baseten.co"
