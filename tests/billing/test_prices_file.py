"""Reading prices.toml."""

from pathlib import Path

import pytest

from billing.price_file import PriceFileInvalid, read_price_file, ucr_to_usd, usd_to_ucr

ENTRY = """
[[price]]
provider = "openai"
model = "m"
operation = "chat"
usd = { input = "4", output = "20" }
source = "somewhere"
as_of = 2026-11-21
"""
EMBEDDING = ENTRY.replace("chat", "embedding").replace('"4", output = "20"', '"0.02"')
SESSION = (
    ENTRY.replace("chat", "realtime").replace('input = "4", output = "20"', 'session = "5.76"')
    + "per = 1\n"
)

IMAGE = (
    ENTRY.replace("chat", "image").replace('input = "4", output = "20"', 'image = "0.04"')
    + 'per = 1\noptions = { size = "1x1", quality = "hd" } # options\n'
)


def test_dollars_become_exact_micro_credits() -> None:
    assert usd_to_ucr("4") == 4_000_000_000
    assert usd_to_ucr("0.005") == 5_000_000
    assert usd_to_ucr("0.000000001") == 1
    assert ucr_to_usd(5_000_000) == "0.005"
    assert ucr_to_usd(40_000_000_000) == "40"


@pytest.mark.parametrize("text", ["0.0000000001", "-1", "NaN", "Infinity", "", "4 $", "1e30"])
def test_what_is_no_exact_price_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="price|dollar"):
        usd_to_ucr(text)


def test_the_shipped_file_names_a_source_and_a_day_for_every_price() -> None:
    rows = read_price_file()
    assert all(row.source and row.as_of.year >= 2026 for row in rows)
    sold_otherwise = {row.model for row in rows if row.list_ucr != row.cost_ucr}
    assert sold_otherwise == {
        "dall-e-2",
        "dall-e-3",
        "openai/dall-e-2",
        "openai/dall-e-3",
        "stable-diffusion-3",
        "stable-diffusion-xl",
    }
    sold_below_cost = {row.model for row in rows if row.list_ucr < row.cost_ucr}
    assert sold_below_cost == {"stable-diffusion-3", "stable-diffusion-xl"}
    chat = {row.meter for row in rows if row.operation == "chat"}
    assert chat == {"input", "cached_input", "cache_write", "output"}
    others = {(row.operation, row.meter) for row in rows if row.operation != "chat"}
    assert others == {
        ("embedding", "input"),
        ("realtime", "session"),
        ("image", "image"),
        ("image_edit", "image"),
        ("image_upscale", "image"),
        ("image_control", "image"),
        ("image_fit", "image"),
        ("music", "second"),
        ("speech", "character"),
        ("speech", "input"),
        ("speech", "audio_output"),
        ("transcription", "second"),
    }
    assert {row.model for row in rows if row.list_ucr == 0} == {"social-fit"}, "our own work"


def test_a_cost_of_its_own_stands_beside_the_price(tmp_path: Path) -> None:
    rows = read_price_file(written(tmp_path, ENTRY + 'cost_usd = { output = "15" }\n'))
    assert [(row.meter, row.list_ucr, row.cost_ucr) for row in rows] == [
        ("input", 4_000_000_000, 4_000_000_000),
        ("output", 20_000_000_000, 15_000_000_000),
    ]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (ENTRY.replace('"4"', "4"), "Expected `str`"),
        (ENTRY.replace('"4"', '"0"'), "input costs nothing"),
        (ENTRY.replace('"4"', '"0.00000000001"'), "at most 9 decimal places"),
        (ENTRY.replace("input", "inptu"), "needs a price for input"),
        (ENTRY.replace('"20"', '"20", audio = "1"'), "no meter 'audio'"),
        (ENTRY + "per = 1\n", "priced per 1000000"),
        (ENTRY + 'options = { size = "big" }\n', "no other option than above_input_tokens"),
        (EMBEDDING.replace("input", "output"), "embedding needs a price for input"),
        (EMBEDDING.replace('"0.02"', '"0.02", output = "1"'), "no meter 'output'"),
        (EMBEDDING + "options = { above_input_tokens = 1 }\n", "no other option than none"),
        (SESSION.replace("per = 1\n", ""), "priced per 1$"),
        (
            IMAGE.replace(', quality = "hd"', ""),
            "no other option than size, a word, quality, a word",
        ),
        (IMAGE.replace('"hd"', '"auto"'), "no other option"),
        (IMAGE.replace('"hd"', "1"), "no other option"),
        (IMAGE.replace("} # options", ", style = 1 }"), "no other option"),
        (IMAGE.replace("per = 1\n", ""), "priced per 1$"),
        (ENTRY + 'cost_usd = { audio = "1" }\n', "a cost without a price: audio"),
        (ENTRY + 'colour = "red"\n', "colour"),
        (ENTRY.replace('source = "somewhere"\n', ""), "source"),
        (ENTRY + ENTRY, "priced twice"),
        ("[[price]\n", "Expected"),
    ],
)
def test_a_file_that_is_wrong_is_refused_and_says_why(
    tmp_path: Path, text: str, complaint: str
) -> None:
    with pytest.raises(PriceFileInvalid, match=complaint):
        read_price_file(written(tmp_path, text))


def written(directory: Path, text: str) -> Path:
    path = directory / "prices.toml"
    path.write_text(text)
    return path
