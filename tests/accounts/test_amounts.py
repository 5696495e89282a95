"""How staff's pages write amounts, shares and ids."""

from types import SimpleNamespace

import pytest

from studio.accounts.amounts import (
    cents_cell,
    credits_cell,
    credits_column,
    id_cell,
    percent_cell,
    shown,
)


@pytest.mark.parametrize(
    ("amount_ucr", "text"),
    [
        (0, "0.00<small>0000</small>"),
        (1, "0.00<small>0001</small>"),
        (8_724_600, "8.72<small>4600</small>"),
        (-1_234_567_890_123, "\N{MINUS SIGN}1,234,567.89<small>0123</small>"),
    ],
)
def test_credits_show_every_place(amount_ucr: int, text: str) -> None:
    assert credits_cell(amount_ucr) == f'<data class="amt" value="{amount_ucr}">{text}</data>'


def test_what_there_is_not_is_a_dash() -> None:
    assert {credits_cell(None), cents_cell(None, "usd"), percent_cell(None), id_cell("")} == {"–"}


def test_cents_and_shares_have_their_units() -> None:
    assert cents_cell(123_456, "usd") == '<span class="amt">1,234.56 USD</span>'
    assert percent_cell(-5) == '<span class="amt">\N{MINUS SIGN}0.05 %</span>'
    assert percent_cell(120_000) == '<span class="amt">1,200.00 %</span>'


def test_a_long_id_is_shortened_and_kept_whole_beside() -> None:
    whole = "01a1fefa-eb6f-7077-a93f-519391c240ba"
    assert id_cell(whole) == f'<span class="id" title="{whole}">01a1fefa-eb6f…40ba</span>'
    assert id_cell('<b>"') == '<span class="id" title="&lt;b&gt;&quot;">&lt;b&gt;&quot;</span>'


def test_a_field_is_shown_by_its_unit() -> None:
    row = SimpleNamespace(owed_ucr=1_500_000, markup_bp=2_000, amount_cents=5, currency="eur")
    texts = [column(row) for column in map(shown, vars(row)) if not isinstance(column, str)]
    assert texts == [credits_cell(1_500_000), percent_cell(2_000), cents_cell(5, "eur")]
    assert shown("currency") == "currency"
    column = credits_column("owed_ucr")
    assert (column.short_description, column.admin_order_field) == ("owed, credits", "owed_ucr")
