"""Google's SDK draws and edits pictures in the sandbox as it would at Google."""

import io
from collections.abc import Iterator
from typing import Any

import pytest
from google import genai
from google.genai import errors, types
from PIL import Image

FLASH, NEWER, PRO = "gemini-2.5-flash-image", "gemini-3.1-flash-image", "gemini-3-pro-image"


@pytest.fixture
def gemini(sandbox_url: str) -> Iterator[genai.Client]:
    """Call the sandbox with the official SDK, without its retries."""
    where = types.HttpOptions(base_url=f"{sandbox_url}/gemini")
    with genai.Client(api_key="k-sandbox-1234", http_options=where) as made:
        yield made


def ask(
    gemini: genai.Client, contents: Any, model: str = NEWER, **config: Any
) -> types.GenerateContentResponse:
    """Ask for a picture alone."""
    wanted = types.GenerateContentConfig(**{"response_modalities": ["IMAGE"], **config})
    return gemini.models.generate_content(model=model, contents=contents, config=wanted)


def pictures(answer: types.GenerateContentResponse) -> list[Image.Image]:
    """Open the pictures of an answer."""
    found: list[Image.Image] = []
    for part in answer.parts or []:
        if part.inline_data is not None:
            assert part.inline_data.mime_type == "image/png"
            assert part.inline_data.data is not None
            image = Image.open(io.BytesIO(part.inline_data.data))
            image.load()
            found.append(image)
    return found


def plain(colour: str, size: tuple[int, int] = (64, 64)) -> types.Part:
    """Make a picture of one colour as a part."""
    file = io.BytesIO()
    Image.new("RGB", size, colour).save(file, "PNG")
    return types.Part.from_bytes(data=file.getvalue(), mime_type="image/png")


@pytest.mark.parametrize(
    ("model", "config", "size", "tokens"),
    [
        (FLASH, {}, (1024, 1024), 1290),
        (FLASH, {"aspect_ratio": "16:9"}, (1360, 768), 1290),
        (NEWER, {"aspect_ratio": "4:1"}, (2048, 512), 1120),
        (NEWER, {"image_size": "512"}, (512, 512), 747),
        (PRO, {"aspect_ratio": "1:1", "image_size": "2K"}, (2048, 2048), 1680),
    ],
)
def test_a_picture_has_the_shape_and_costs_the_tokens_of_its_size(
    gemini: genai.Client, model: str, config: dict[str, Any], size: tuple[int, int], tokens: int
) -> None:
    answer = ask(gemini, "A lamp", model, image_config=types.ImageConfig(**config))
    [image] = pictures(answer)
    assert image.size == size
    assert answer.usage_metadata is not None
    assert answer.usage_metadata.candidates_token_count == tokens
    details = answer.usage_metadata.candidates_tokens_details
    assert details is not None
    assert (details[0].modality, details[0].token_count) == (types.MediaModality.IMAGE, tokens)


def test_a_seed_gives_the_same_picture_and_words_come_where_they_are_asked_for(
    gemini: genai.Client,
) -> None:
    first, again, other = (pictures(ask(gemini, "A lamp", seed=seed))[0] for seed in (1, 1, 2))
    assert first.tobytes() == again.tobytes() != other.tobytes()
    spoken = ask(gemini, "A lamp", response_modalities=["TEXT", "IMAGE"])
    assert spoken.text == "Here is the picture."
    assert len(pictures(spoken)) == 1


def test_an_edit_keeps_its_picture_where_the_mask_is_black(gemini: genai.Client) -> None:
    grey = plain("grey", (128, 64))
    half = Image.new("L", (128, 64), 0)
    half.paste(255, (64, 0, 128, 64))
    file = io.BytesIO()
    half.save(file, "PNG")
    mask = types.Part.from_bytes(data=file.getvalue(), mime_type="image/png")
    [image] = pictures(ask(gemini, ["Edit this:", grey, "This is its mask:", mask, "A red sun"]))
    assert 1.95 < image.width / image.height < 2.05
    assert image.getpixel((100, 300)) == (128, 128, 128)
    colours = image.crop((image.width // 2 + 50, 0, *image.size)).getcolors(1_000_000)
    assert colours is None or len(colours) > 10


def test_another_picture_and_words_alone_change_it_too(gemini: genai.Client) -> None:
    for contents in (
        ["Edit this:", plain("grey"), "This is the background:", plain("red"), "A hat"],
        ["Edit this:", plain("grey"), "Make the lamp blue"],
    ):
        [image] = pictures(ask(gemini, contents))
        assert image.getcolors(1_000_000) != [(image.width * image.height, (128, 128, 128))]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("content_filter", "IMAGE_SAFETY"),
        ("content_filter code=IMAGE_RECITATION", "IMAGE_RECITATION"),
        ("files=none", "NO_IMAGE"),
    ],
)
def test_why_there_is_no_picture_is_told(gemini: genai.Client, fault: str, reason: str) -> None:
    answer = ask(gemini, f"[[sandbox {fault}]] A lamp")
    assert answer.candidates is not None
    assert answer.candidates[0].finish_reason == types.FinishReason[reason]
    assert pictures(answer) == []


def test_a_blocked_prompt_has_no_candidates(gemini: genai.Client) -> None:
    answer = ask(gemini, "[[sandbox refusal]] A lamp")
    assert answer.candidates is None
    assert answer.prompt_feedback is not None
    assert answer.prompt_feedback.block_reason == types.BlockedReason.PROHIBITED_CONTENT


@pytest.mark.parametrize(
    ("model", "config"),
    [
        (FLASH, {"image_config": types.ImageConfig(image_size="2K")}),
        (FLASH, {"image_config": types.ImageConfig(aspect_ratio="4:1")}),
        (NEWER, {"image_config": types.ImageConfig(image_size="8K")}),
        (PRO, {"image_config": types.ImageConfig(aspect_ratio="1:3")}),
        (NEWER, {"response_modalities": ["AUDIO"]}),
        ("gemini-3.8-flash", {}),
        ("gemini-3.8-flash", {"response_modalities": [], "image_config": {"image_size": "1K"}}),
    ],
)
def test_what_a_model_does_not_draw_is_refused(
    gemini: genai.Client, model: str, config: dict[str, Any]
) -> None:
    with pytest.raises(errors.ClientError) as refused:
        ask(gemini, "A lamp", model, **config)
    assert refused.value.code == 400


def test_what_is_no_picture_cannot_be_edited(gemini: genai.Client) -> None:
    broken = types.Part.from_bytes(data=b"no picture", mime_type="image/png")
    with pytest.raises(errors.ClientError, match="Unable to process input image"):
        ask(gemini, ["Edit this:", broken, "A hat"])
