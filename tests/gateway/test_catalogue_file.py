"""model-catalog.json: what we ship, and what the loader refuses."""

import json
from pathlib import Path
from typing import Any

import pytest

from billing.price_file import read_price_file
from gateway.catalogue.file import CatalogueFileInvalid, read_catalogue_file, successors_first

SEED_KINDS = {
    "chat.default",
    "chat.gpt5",
    "chat.o4mini",
    "chat.claude",
    "chat.claude45",
    "chat.grok",
    "chat.grokLatest",
    "realtime.default",
    "image.default",
    "image.flux-schnell",
    "image.flux-dev",
    "image.flux-pro",
    "music.default",
    "voice.default",
    "voice.openai",
    "voice.openai-hd",
    "voice.flash",
    "voice.turbo",
    "voice.multilingual",
}
STUDIO_KINDS = {
    "edit.remove_background",
    "edit.inpaint",
    "edit.outpaint",
    "edit.search_replace",
    "edit.search_recolor",
    "edit.general_edit",
    "upscale.fast",
    "upscale.conservative",
    "upscale.creative",
    "control.sketch",
    "control.structure",
    "control.style",
    "control.style_transfer",
    "fit.social",
}
SPEECH_KINDS = {"speech.orpheus-fp8", "speech.orpheus-fp16", "transcription.default"}


def small() -> dict[str, Any]:
    chat = {
        "operation": "chat",
        "context_tokens": 1000,
        "max_output_tokens": 100,
        "source": "here",
    }
    return {
        "about": "a small catalogue",
        "models": {
            "openai:old": {**chat, "sunset_on": "2026-01-01", "successor": "openai:new"},
            "openai:new": chat,
            "replicate:picture": {"operation": "image", "source": "here"},
        },
        "channels": {
            "stable": {"chat.default": ["openai:new"], "image.default": ["replicate:picture"]},
            "fast": {"chat.default": [{"model": "openai:old", "weight": 2}]},
        },
        "aliases": {"house": "chat.default", "younger": "openai:new"},
    }


def write(directory: Path, document: object) -> Path:
    path = directory / "model-catalog.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def test_the_shipped_catalogue_has_every_channel_and_kind_of_the_guide() -> None:
    file = read_catalogue_file()
    assert list(file.channels) == ["stable", "experimental", "fast", "quality"]
    assert file.channels["stable"].keys() == {
        *SEED_KINDS,
        *STUDIO_KINDS,
        *SPEECH_KINDS,
        "embedding.default",
        "chat.gemini",
        "dall-e-2",
        "dall-e-3",
    }
    assert file.aliases["studiocore-1"] == "chat.default"


def test_every_shipped_model_that_can_be_reached_has_a_price() -> None:
    file = read_catalogue_file()
    rows = read_price_file()
    priced = {f"{row.provider}:{row.model}" for row in rows}
    retired = {"o4-mini", "o3-mini", "o1", "gpt-4.1-nano", "gpt-4-turbo", "gpt-4", "gpt-3.5-turbo"}
    grok = {"4-fast-reasoning", "4-fast-non-reasoning", "4-1-fast-reasoning", "4-0709", "3"}
    grok |= {"4-1-fast-non-reasoning", "code-fast-1"}
    gone = {f"openai:{name}" for name in retired} | {f"xai:grok-{name}" for name in grok}
    chat = {key for key, model in file.models.items() if model.operation == "chat"}
    assert chat - priced == gone
    made = {key for key, model in file.models.items() if model.operation in ("image", "music")}
    assert made <= priced
    assert priced <= file.models.keys()


def test_successors_come_before_the_models_they_follow() -> None:
    file = read_catalogue_file()
    order = successors_first(file.models)
    assert sorted(order) == sorted(file.models)
    for key, model in file.models.items():
        if model.successor is not None:
            assert order.index(model.successor) < order.index(key)


def test_a_small_catalogue_is_read(tmp_path: Path) -> None:
    file = read_catalogue_file(write(tmp_path, small()))
    assert [
        (channel, kind, route.model, route.weight) for channel, kind, _, route in file.routes()
    ] == [
        ("stable", "chat.default", "openai:new", 1),
        ("stable", "image.default", "replicate:picture", 1),
        ("fast", "chat.default", "openai:old", 2),
    ]


def change(path: str, value: object) -> dict[str, Any]:
    document = small()
    *parents, last = path.split("/")
    place = document
    for parent in parents:
        place = place[parent]
    place[last] = value
    return document


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        (change("colour", "red"), "colour"),
        (change("models/openai:new/prise", 1), "prise"),
        (change("models/openai:new/context_tokens", "many"), "Expected `int`"),
        (change("models/openai:new/max_output_tokens", 0), "needs context_tokens"),
        (change("models/openai:old/successor", None), "needs both sunset_on and successor"),
        (change("models/openai:old/successor", "openai:lost"), "successor openai:lost"),
        (change("models/openai:old/successor", "replicate:picture"), "its successor is not"),
        (change("models/openai:old/successor", "openai:old"), "in a circle"),
        (change("models/nameless", {"operation": "image", "source": ""}), "provider:name"),
        (change("channels/beta", {}), "no channels beta"),
        (change("channels/fast/chat.new", ["openai:new"]), "chat.new is not in channel stable"),
        (change("channels/stable/chat.default", []), "no route in channel stable"),
        (change("channels/stable/chat.default", ["openai:lost"]), "model openai:lost"),
        (change("channels/fast/image.default", ["openai:new"]), "is for image"),
        (change("channels/stable/chat.default", ["openai:new"] * 2), "names openai:new twice"),
        (change("aliases/house", "nowhere"), "leads to nowhere"),
        (change("aliases/house", "younger"), "leads to younger"),
        (change("aliases/old", "openai:new"), "alias old is the name"),
        (change("aliases/chat.default", "openai:new"), "alias chat.default is the name"),
        ('{"about": "x", "about": "y"}', "'about' is there twice"),
        ("{", "Expecting"),
    ],
)
def test_a_file_that_is_wrong_is_refused_and_says_why(
    tmp_path: Path, document: object, complaint: str
) -> None:
    with pytest.raises(CatalogueFileInvalid, match=complaint):
        read_catalogue_file(write(tmp_path, document))


def test_every_contradiction_is_named_at_once(tmp_path: Path) -> None:
    document = change("aliases/house", "nowhere")
    document["channels"]["fast"]["chat.new"] = ["openai:new"]
    with pytest.raises(CatalogueFileInvalid) as refusal:
        read_catalogue_file(write(tmp_path, document))
    assert len(str(refusal.value).splitlines()) == 2
