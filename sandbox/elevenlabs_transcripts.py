"""ElevenLabs' Scribe: a sound in a form becomes words with times.

Source: `elevenlabs` SDK 2.78.0, `speech_to_text` and SpeechToTextChunkResponseModel (2026-11).
Left out: several channels, entities, edits, webhooks, addresses of files, other formats.
"""

import hashlib

import msgspec

from sandbox.elevenlabs_checks import ElevenLabsError, invalid_field
from sandbox.elevenlabs_errors import asked_for, error_reply, read_faults, told
from sandbox.faults import Faults
from sandbox.messages import Json, Reply, Request
from sandbox.voices_heard import NoForm, SentForm, Transcript, read_form, transcript

_JSON = (b"content-type", b"application/json")
_MODELS = ("scribe_v1", "scribe_v2", "scribe_v3")
_FIELDS = frozenset(
    (
        *("model_id", "language_code", "tag_audio_events", "num_speakers", "diarize", "seed"),
        *("timestamps_granularity", "temperature", "file_format", "keyterms", "no_verbatim"),
        *("enable_logging", "diarization_threshold", "use_multi_channel"),
        *("webhook_metadata", "entity_detection", "entity_redaction"),
    )
)
_WORK_MS, _WORK_MS_PER_S = 60, 2


def hear(request: Request) -> Reply:
    """Write down what a file says. Raises: ElevenLabsError."""
    try:
        form = read_form(request)
    except NoForm:
        raise invalid_field(["body", "model_id"], "Field required", "missing") from None
    said = transcript(form.file) if form.file else None
    faults, _ = read_faults(request, said.raw if said else "")
    try:
        if faults.status:
            raise asked_for(request, faults)
        _check(request, form, faults)
        if said is None:
            words = "The file is corrupted. Please ensure it is playable audio."
            raise told(request, 400, "invalid_parameters", words, param="file")
    except ElevenLabsError as error:
        return error_reply(request, error, faults)
    work_ms = _WORK_MS + _WORK_MS_PER_S * said.length_ms // 1000
    return Reply(
        headers=[_JSON],
        body=msgspec.json.encode(_answer(request, form, said)),
        faults=msgspec.structs.replace(faults, latency_ms=faults.latency_ms or work_ms),
    )


def _check(request: Request, form: SentForm, faults: Faults) -> None:
    for name in form.texts:
        if name not in _FIELDS:
            raise invalid_field(["body", name], "Extra inputs are not permitted", "extra_forbidden")
    if faults.reject in form.texts:
        words = f"The '{faults.reject}' parameter is not supported."
        raise told(request, 400, "invalid_parameters", words, param=faults.reject)
    if form.first("model_id") not in _MODELS:
        words = f"'{form.first('model_id')}' is not a valid model_id."
        raise told(request, 400, "invalid_model_id", words, param="model_id")
    if form.file is None:
        words = "Must provide either file or source_url."
        raise told(request, 400, "invalid_parameters", words, param="file")
    granularity = form.first("timestamps_granularity", "word")
    if granularity not in ("none", "word", "character"):
        words = "Input should be 'none', 'word' or 'character'"
        raise invalid_field(["body", "timestamps_granularity"], words, "enum")


def _answer(request: Request, form: SentForm, said: Transcript) -> Json:
    diarized = form.first("diarize") == "true"
    words: list[Json] = []
    for word in said.words:
        if words:
            words.append(_timed(" ", word.start_s, word.start_s, "spacing"))
        words.append(_timed(word.text, word.start_s, word.end_s, "word"))
    for entry in words:
        if diarized:
            entry["speaker_id"] = "speaker_0"
        if form.first("timestamps_granularity", "word") == "none":
            entry["start"] = entry["end"] = None
    return {
        "language_code": form.first("language_code") or "eng",
        "language_probability": 0.98,
        "text": said.text,
        "words": words,
        "transcription_id": hashlib.sha256(request.digest).hexdigest()[:20],
        "audio_duration_secs": said.length_ms / 1000,
    }


def _timed(text: str, start_s: float, end_s: float, kind: str) -> Json:
    return {"text": text, "start": start_s, "end": end_s, "type": kind, "logprob": -0.1}
