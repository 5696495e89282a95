"""Closing the books of a month, by two people. A closed month takes no entry any more."""

from datetime import date

from django.contrib.auth.models import User
from django.db import transaction

from billing import ledger
from billing.errors import CreditRefused, MonthNotOver, SecondPersonNeeded


def close_month(*, month: date, closed_by: User, confirmed_by: User) -> bool:
    """Close the calendar month (UTC) that begins on `month`, for ever.

    Returns: whether this call did it; False if it was closed before. Raises: CreditRefused if
    `month` is not the first of one, SecondPersonNeeded, MonthNotOver; nothing was written.
    """
    if month.day != 1:
        raise CreditRefused("A month is named by its first day")
    if closed_by.pk == confirmed_by.pk:
        raise SecondPersonNeeded("Two people close a month")
    with transaction.atomic(durable=True):
        verdict = ledger.close_month(
            month=month,
            closed_by=closed_by.get_username(),
            confirmed_by=confirmed_by.get_username(),
        )
    if verdict == "too_early":
        raise MonthNotOver("A month is closed when it is over, in UTC")
    return verdict == "closed"
