"""OpenAI's transcriptions: a sound in a form becomes text, in the formats of each model.

Source: github openai/openai-openapi v2.3.0 (2026-08-21), CreateTranscriptionRequest and its answers
and events; `openai` Python SDK 3.52.0 (which model has which format). Ten tokens a second of sound:
LiteLLM's price by the second of gpt-4o-transcribe beside that by tokens, at second hand.
Left out: speakers, `logprobs`, chunking, `gpt-transcribe`'s own fields.
"""

import math
from collections.abc import Iterator

import msgspec

from sandbox.chat_form import event
from sandbox.faults import Faults
from sandbox.messages import Json, Reply, Request
from sandbox.openai_checks import WireError
from sandbox.text import count_tokens, tokens_of
from sandbox.voices_heard import NoForm, SentForm, Transcript, Word, read_form, transcript

_JSON = (b"content-type", b"application/json")
_TEXT = (b"content-type", b"text/plain; charset=utf-8")
_WHISPER = "whisper-1"
_MODELS = (
    *(_WHISPER, "gpt-transcribe", "gpt-4o-transcribe", "gpt-4o-mini-transcribe"),
    "gpt-4o-mini-transcribe-2025-12-15",
)
_FIELDS = frozenset(
    (
        *("model", "language", "prompt", "response_format", "temperature", "stream"),
        *("timestamp_granularities[]", "timestamp_granularities"),
    )
)
_FORMATS = ("json", "text", "srt", "verbose_json", "vtt")
_ENDINGS = ("flac", "m4a", "mp3", "mp4", "mpeg", "mpga", "oga", "ogg", "wav", "webm")
_MOST_BYTES = 25 * 1024 * 1024
_WORK_MS, _WORK_MS_PER_S = 60, 2
_TOKENS_PER_S = 10
_WORDS_OF_A_SEGMENT = 12


def read(request: Request) -> tuple[SentForm, Transcript | None]:
    """Read the form and hear its file. Raises: WireError."""
    try:
        form = read_form(request)
    except NoForm:
        raise WireError("Could not parse multipart form") from None
    return form, transcript(form.file) if form.file else None


def directive_text(form: SentForm, said: Transcript | None) -> str:
    """Give the texts that may ask for faults."""
    return form.first("prompt") + (said.raw if said else "")


def hear(form: SentForm, said: Transcript | None, faults: Faults) -> Reply:
    """Answer one request. Raises: WireError for what the live API refuses."""
    _check(form, faults)
    if said is None:
        raise WireError("Audio file might be corrupted or unsupported", code="invalid_value")
    model, wanted = form.first("model"), form.first("response_format", "json")
    work_ms = _WORK_MS + _WORK_MS_PER_S * said.length_ms // 1000
    delayed = msgspec.structs.replace(faults, latency_ms=faults.latency_ms or work_ms)
    usage = _usage(form, said)
    if form.first("stream") == "true" and model != _WHISPER:
        return Reply(events=_events(said, usage, faults), faults=delayed)
    if wanted in ("json", "verbose_json"):
        found: Json = {"text": said.text} if wanted == "json" else _verbose(form, said)
        if not faults.missing_usage:
            found["usage"] = usage
        return Reply(headers=[_JSON], body=msgspec.json.encode(found), faults=delayed)
    body = {"text": said.text + "\n", "srt": _subtitles(said, ","), "vtt": _subtitles(said, ".")}
    head = "WEBVTT\n\n" if wanted == "vtt" else ""
    return Reply(headers=[_TEXT], body=(head + body[wanted]).encode(), faults=delayed)


def _check(form: SentForm, faults: Faults) -> None:
    for name in form.texts:
        if name not in _FIELDS:
            raise WireError(f"Unrecognized request argument supplied: {name}", param=name)
    if faults.reject in form.texts:
        raise WireError("Unsupported value.", param=faults.reject, code="unsupported_value")
    model, wanted = form.first("model"), form.first("response_format", "json")
    if model not in _MODELS:
        text = f"The model `{model}` does not exist or you do not have access to it."
        raise WireError(text, param="model", code="model_not_found", status=404)
    if wanted not in _FORMATS or (model != _WHISPER and wanted != "json"):
        text = f"response_format '{wanted}' is not compatible with model '{model}'."
        raise WireError(text, param="response_format", code="unsupported_value")
    granular = form.texts.get("timestamp_granularities[]", [])
    if granular and (wanted != "verbose_json" or not set(granular) <= {"word", "segment"}):
        raise WireError("Timestamps need verbose_json.", param="timestamp_granularities")
    _check_file(form)
    temperature = form.first("temperature", "0")
    if not temperature.replace(".", "", 1).isdigit() or float(temperature) > 1:
        raise WireError("temperature: between 0 and 1", param="temperature")


def _check_file(form: SentForm) -> None:
    if form.file is None:
        raise WireError("Missing required parameter: 'file'.", param="file")
    if len(form.file) > _MOST_BYTES:
        raise WireError(f"Maximum content size limit ({_MOST_BYTES}) exceeded", status=413)
    if form.file_name.rpartition(".")[2].lower() not in _ENDINGS:
        text = f"Unrecognized file format. Supported formats: {list(_ENDINGS)}"
        raise WireError(text, param="file", code="invalid_value")


def _usage(form: SentForm, said: Transcript) -> Json:
    seconds = math.ceil(said.length_ms / 1000)
    if form.first("model") == _WHISPER:
        return {"type": "duration", "seconds": seconds}
    heard, read_tokens = seconds * _TOKENS_PER_S, count_tokens(form.first("prompt"))
    written = count_tokens(said.text)
    return {
        "type": "tokens",
        "input_tokens": heard + read_tokens,
        "input_token_details": {"text_tokens": read_tokens, "audio_tokens": heard},
        "output_tokens": written,
        "total_tokens": heard + read_tokens + written,
    }


def _events(said: Transcript, usage: Json, faults: Faults) -> Iterator[bytes]:
    for token in tokens_of(said.text):
        yield event({"type": "transcript.text.delta", "delta": token})
    done: Json = {"type": "transcript.text.done", "text": said.text}
    if not faults.missing_usage:
        done["usage"] = usage
    if not faults.no_done:
        yield event(done)


def _verbose(form: SentForm, said: Transcript) -> Json:
    granular = form.texts.get("timestamp_granularities[]", ["segment"])
    found: Json = {
        "task": "transcribe",
        "language": form.first("language") or "english",
        "duration": said.length_ms / 1000,
        "text": said.text,
    }
    if "segment" in granular:
        found["segments"] = [_segment(at, row) for at, row in enumerate(_segments(said))]
    if "word" in granular:
        found["words"] = [
            {"word": word.text, "start": word.start_s, "end": word.end_s} for word in said.words
        ]
    return found


def _segments(said: Transcript) -> list[list[Word]]:
    step = _WORDS_OF_A_SEGMENT
    return [said.words[at : at + step] for at in range(0, len(said.words), step)]


def _segment(number: int, words: list[Word]) -> Json:
    return {
        "id": number,
        "seek": 0,
        "start": words[0].start_s,
        "end": words[-1].end_s,
        "text": " " + " ".join(word.text for word in words),
        "tokens": [50_364 + number],
        "temperature": 0.0,
        "avg_logprob": -0.2,
        "compression_ratio": 1.2,
        "no_speech_prob": 0.01,
    }


def _subtitles(said: Transcript, mark: str) -> str:
    blocks = []
    for number, words in enumerate(_segments(said), 1):
        span = f"{_clock(words[0].start_s, mark)} --> {_clock(words[-1].end_s, mark)}"
        head = f"{number}\n" if mark == "," else ""
        blocks.append(f"{head}{span}\n{' '.join(word.text for word in words)}\n")
    return "\n".join(blocks)


def _clock(seconds: float, mark: str) -> str:
    whole, rest_ms = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{mark}{rest_ms:03}"
