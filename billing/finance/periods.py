"""A month as finance means it: a calendar month in UTC, whatever zone a workspace lives in."""

import re
from datetime import UTC, date, datetime
from typing import Self

import msgspec

from billing.finance.errors import MonthUnreadable


class Month(msgspec.Struct, frozen=True, kw_only=True):
    """The month that begins on `first`, a first of a month."""

    first: date

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `2026-03`. Raises: MonthUnreadable."""
        if not re.fullmatch(r"[0-9]{4}-(0[1-9]|1[0-2])", text) or text < "2000":
            raise MonthUnreadable("A month is written YYYY-MM, from 2000-01 on")
        return cls(first=date(int(text[:4]), int(text[5:]), 1))

    @property
    def name(self) -> str:
        """Give it as it is written."""
        return f"{self.first:%Y-%m}"

    @property
    def after(self) -> "Month":
        """Give the next month."""
        years, month = divmod(self.first.month, 12)
        return Month(first=date(self.first.year + years, month + 1, 1))

    @property
    def begin(self) -> datetime:
        """Give its first moment."""
        return datetime(self.first.year, self.first.month, 1, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        """Give the first moment that is no longer in it."""
        return self.after.begin
