"""Versions of the price book: made by the file and by staff, never changed."""

import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import msgspec
import pytest
from django.core.management import CommandError, call_command
from django.db import Error, connection, transaction

from billing.models import Price, PriceBook
from billing.price_books import change_price, hand_back, load_prices
from billing.pricing import PriceRow, latest_price_book, load_price_book, read_rows
from tests.databases import Database, django_on

FILE = """
[[price]]
provider = "openai"
model = "m"
operation = "chat"
usd = { input = "4", output = "20" }
source = "somewhere"
as_of = 2026-11-21
"""
ROW = PriceRow(
    provider="openai",
    model="m",
    operation="chat",
    meter="input",
    list_ucr=6_000_000_000,
    cost_ucr=4_000_000_000,
    source="staff",
    as_of=date(2026, 11, 22),
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "prices.toml"
    path.write_text(FILE)
    return path


def input_price(version: int) -> tuple[int, bool]:
    [row] = [row for row in read_rows(version) if row.meter == "input"]
    return row.list_ucr, row.edited_by_staff


@pytest.mark.django_db
def test_loading_twice_makes_one_version(file: Path) -> None:
    first = load_prices(file)
    again = load_prices(file)
    assert first.changed
    assert not again.changed
    assert again.version == first.version
    assert Price.objects.filter(book=first.version).count() == 2


@pytest.mark.django_db
def test_a_changed_file_makes_the_next_version_and_the_old_one_stays(file: Path) -> None:
    old = load_prices(file).version
    file.write_text(FILE.replace('"4"', '"5"'))
    new = load_prices(file).version
    assert new == old + 1
    assert input_price(old) == (4_000_000_000, False)
    assert input_price(new) == (5_000_000_000, False)
    assert latest_price_book().version == new
    before = load_price_book(old).chat("openai", "m")
    assert before is not None
    assert before.tiers[0].list_rates.input == 4_000_000_000


@pytest.mark.django_db
def test_a_price_that_left_the_file_leaves_the_book(file: Path) -> None:
    load_prices(file)
    file.write_text(FILE.replace('"m"', '"n"'))
    load_prices(file)
    book = latest_price_book()
    assert book.chat("openai", "m") is None
    assert book.chat("openai", "n") is not None


@pytest.mark.django_db
def test_the_file_does_not_overwrite_what_staff_edited(file: Path) -> None:
    loaded = load_prices(file).version
    edited = change_price(ROW, actor="ada", note="dearer")
    file.write_text(FILE.replace('"4"', '"5"').replace('"20"', '"21"'))
    reloaded = load_prices(file)
    assert edited == loaded + 1
    assert reloaded.version == edited + 1
    assert reloaded.kept == 1
    assert input_price(reloaded.version) == (6_000_000_000, True)
    assert PriceBook.objects.get(version=edited).created_by == "ada"


@pytest.mark.django_db
def test_a_price_handed_back_follows_the_file_again(file: Path) -> None:
    load_prices(file)
    change_price(ROW, actor="ada")
    hand_back([ROW.key], actor="ada")
    assert input_price(load_prices(file).version) == (4_000_000_000, False)


@pytest.mark.django_db
def test_the_same_price_again_makes_no_version(file: Path) -> None:
    load_prices(file)
    edited = change_price(ROW, actor="ada")
    assert change_price(ROW, actor="bob") == edited


@pytest.mark.django_db
@pytest.mark.parametrize("wrong", [{"list_ucr": 0}, {"meter": "minutes"}, {"per": 1}])
def test_a_price_that_cannot_be_is_refused(file: Path, wrong: dict[str, object]) -> None:
    version = load_prices(file).version
    with pytest.raises(ValueError, match="nothing is free|no meter|priced per"):
        change_price(msgspec.structs.replace(ROW, **wrong), actor="ada")
    assert latest_price_book().version == version


@pytest.mark.django_db
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing_price SET list_ucr = 1",
        "DELETE FROM billing_price",
        "TRUNCATE billing_price",
        "UPDATE billing_pricebook SET note = 'x'",
        "DELETE FROM billing_pricebook",
        "TRUNCATE billing_pricebook CASCADE",
    ],
)
def test_the_database_refuses_to_change_a_version(file: Path, statement: str) -> None:
    version = load_prices(file).version
    with pytest.raises(Error), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert input_price(version) == (4_000_000_000, False)


@pytest.mark.django_db
def test_a_version_that_never_was_cannot_be_read() -> None:
    with pytest.raises(PriceBook.DoesNotExist):
        load_price_book(2_000_000)


@pytest.mark.django_db
def test_the_command_says_what_it_did(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("load_prices", file=file)
    version = latest_price_book().version
    call_command("load_prices", file=file)
    assert capsys.readouterr().out == (
        f"price book: version {version} (new)\nprice book: version {version} (unchanged)\n"
    )


@pytest.mark.django_db
def test_the_command_refuses_a_wrong_file(file: Path) -> None:
    version = latest_price_book().version
    file.write_text(FILE.replace('"4"', '"free"'))
    with pytest.raises(CommandError, match="not an amount of dollars"):
        call_command("load_prices", file=file)
    assert latest_price_book().version == version


@pytest.fixture
def own_database(fresh_database: Database) -> Iterator[Database]:
    with django_on(fresh_database):
        yield fresh_database


@pytest.mark.usefixtures("own_database")
def test_changes_at_the_same_time_make_one_version_each() -> None:
    before = latest_price_book().version
    versions: list[int] = []
    start = threading.Barrier(8)

    def change(number: int) -> None:
        try:
            start.wait()
            row = msgspec.structs.replace(ROW, model=f"m{number}")
            versions.append(change_price(row, actor="ada"))
        finally:
            connection.close()

    threads = [threading.Thread(target=change, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(versions) == list(range(before + 1, before + 9))
    assert {row.model for row in read_rows(before + 8)} >= {f"m{number}" for number in range(8)}
