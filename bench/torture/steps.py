"""Steps: things that may happen to one workspace's money, done by the product beside the oracle.

A step is asked of the product first, then told to the oracle, and their words must be the same.
Where the connection drops before the commit nothing may have moved; where it drops afterwards, or
nobody knows, the same step again must say that it was done. moves.py has the steps themselves.
"""

import time
from collections import Counter
from collections.abc import Callable

import msgspec
import psycopg
from django.contrib.auth.models import User
from django.db import Error, connection

from bench.torture.compared import Different, compare, drop, dropped_after
from bench.torture.oracle import Wallet
from studio.accounts.models import Tier

_PATIENCE_S = 90.0
_LOOK_AGAIN_S = 0.1
ALONE_UCR = 1_000_000
"""What one person may move alone here: TWO_PEOPLE_ABOVE_CREDITS is set to 1."""
EXPIRY_DAYS = (10, 40, 80)
"""When credit of the load may expire, before and after the 30 days that a refund is good for."""

TIERS = ("free", "managed", "byok", "vip_founder")


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that may happen.

    `ask` does it in the product and gives its word; `tell` does it in the oracle and gives the word
    expected. `again` gives the word expected if it is asked once more after it was done; None for
    a step that is no such thing. `whole`: one transaction, so that a drop before the commit leaves
    nothing.
    """

    name: str
    ask: Callable[[], str]
    tell: Callable[[], str]
    again: Callable[[], str] | None = None
    whole: bool = True


REFUSED = frozenset(
    (
        "frozen",
        "insufficient",
        "MoreThanThereIs",
        "CallNotCharged",
        "TopUpNotFound",
        "SecondPersonNeeded",
        "AlreadyDecided",
    )
)
"""Words after which nothing has moved."""


class Request(msgspec.Struct, kw_only=True):
    """What a person asked for; `tell` moves the oracle's money, and gives the product's word."""

    staff: int
    amount: int
    needs_two: bool
    state: str
    tell: Callable[[], str]


class Account:
    """One workspace, the oracle's wallet beside it, and the two people who move its money."""

    def __init__(self, workspace_id: int, staff: tuple[User, User], owner_url: str) -> None:
        self.workspace_id = workspace_id
        self.staff = staff
        self.wallet = Wallet()
        self.requests: dict[str, Request] = {}
        self.alone: Counter[int] = Counter()
        self.disputes: dict[str, tuple[str, int, str]] = {}
        self.markups_bp = dict(Tier.objects.values_list("pk", "markup_bp"))
        self.markup_bp = 0
        self.opened_at: dict[str, float] = {}
        self._owner_url = owner_url

    def as_owner(self, query: str, *parameters: object) -> None:
        """Move what expires: the one thing that the app's role cannot do for us."""
        with psycopg.connect(self._owner_url, autocommit=True, connect_timeout=5) as owner:
            owner.execute(query.encode(), parameters)


class Walker:
    """Takes steps, counts them, and remembers them so that any may be asked again."""

    def __init__(self, account: Account, *, patient: bool = False) -> None:
        self.account = account
        self.taken: Counter[str] = Counter()
        self.crashes: Counter[str] = Counter()
        self._past: list[Step] = []
        self._patient = patient

    def take(self, step: Step, *, crash: str = "", statements: int = 1) -> str:
        """Take a step. `crash` is `before` (the commit: so many statements in), `after` or none.

        Returns: the word. Raises: Different.
        """
        self.taken[step.name] += 1
        word, unsure = (
            self._dropped(step, statements) if crash == "before" else self._answered(step)
        )
        expected = step.tell()
        done = expected not in REFUSED
        if word != expected and not (unsure and done and step.again and word == step.again()):
            raise Different(f"{step.name}: the product says {word}, the oracle {expected}")
        if crash == "after":
            self.crashes["after"] += 1
            drop()
            connection.close()
        if step.again and done:
            self._past.append(step)
            if crash == "after":
                self.repeat(len(self._past) - 1)
        return expected

    def repeat(self, place: int) -> None:
        """Ask for an earlier step once more: it is known, and nothing moves. Raises: Different."""
        if not self._past:
            return
        step = self._past[place % len(self._past)]
        self.taken["repeat"] += 1
        assert step.again
        word, _ = self._answered(step)
        if word != step.again():
            raise Different(f"{step.name} again: the product says {word}, not {step.again()}")

    def compare(self) -> None:
        """Compare all rows with the oracle. Raises: Different."""
        self._patiently(lambda: compare(self.account.workspace_id, self.account.wallet))

    def _dropped(self, step: Step, statements: int) -> tuple[str, bool]:
        """Let the connection drop before the commit, look that nothing moved, and ask again."""
        unsure = True
        try:
            with dropped_after(statements) as dropper:
                return step.ask(), False
        except Error:
            connection.close()
        if dropper.dropped:
            self.crashes["before"] += 1
            unsure = not step.whole
        if not unsure:
            self.compare()
        word, lost = self._answered(step)
        return word, unsure or lost

    def _answered(self, step: Step) -> tuple[str, bool]:
        """Ask until there is an answer. Returns: it, and whether an earlier one was lost."""
        words: list[str] = []
        lost = self._patiently(lambda: words.append(step.ask()))
        return words[0], lost

    def _patiently(self, work: Callable[[], None]) -> bool:
        """Do it until the database answers. Returns: whether it had to be done again."""
        deadline = time.monotonic() + _PATIENCE_S
        lost = False
        while True:
            try:
                work()
                return lost
            except (Error, psycopg.Error):
                if not self._patient or time.monotonic() > deadline:
                    raise
                self.crashes["killed"] += not lost
                lost = True
                connection.close()
                time.sleep(_LOOK_AGAIN_S)


def two_people() -> tuple[User, User]:
    """Give the two who move money, made once per database."""
    ann, _ = User.objects.get_or_create(username="ann", is_staff=True)
    bob, _ = User.objects.get_or_create(username="bob", is_staff=True)
    return ann, bob
