"""The figures of one workspace in one month, as they are computed, kept and shown. µcr."""

import msgspec

FIELDS = (
    "opening_ucr",
    "purchases_ucr",
    "grants_ucr",
    "adjustments_ucr",
    "charged_ucr",
    "given_back_ucr",
    "paid_out_ucr",
    "reinstated_ucr",
    "expiry_ucr",
    "closing_ucr",
    "entry_count",
)


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """`amounts` in the order of FIELDS."""

    workspace_id: int
    workspace_name: str
    amounts: tuple[int, ...]

    @property
    def opening_ucr(self) -> int:
        """What there was when the month began, less what was owed."""
        return self.amounts[0]

    @property
    def purchases_ucr(self) -> int:
        """What was paid for."""
        return self.amounts[1]

    @property
    def grants_ucr(self) -> int:
        """What was given: by programmes and by staff."""
        return self.amounts[2]

    @property
    def adjustments_ucr(self) -> int:
        """What staff corrected, up or down."""
        return self.amounts[3]

    @property
    def charged_ucr(self) -> int:
        """What calls were charged."""
        return self.amounts[4]

    @property
    def given_back_ucr(self) -> int:
        """What was given back for calls, of this month or an earlier one."""
        return self.amounts[5]

    @property
    def usage_ucr(self) -> int:
        """What calls came to."""
        return self.amounts[4] - self.amounts[5]

    @property
    def refunds_ucr(self) -> int:
        """What went back to payers, less what of it came back to us."""
        return self.amounts[6] - self.amounts[7]

    @property
    def expiry_ucr(self) -> int:
        """What expired unused, in the month in which it was booked."""
        return self.amounts[8]

    @property
    def closing_ucr(self) -> int:
        """What there was when the month ended, less what was owed; by accounts, not by kinds."""
        return self.amounts[9]

    @property
    def entry_count(self) -> int:
        """How many entries moved something."""
        return self.amounts[10]

    @property
    def sum_of_kinds_ucr(self) -> int:
        """The formula of a statement, which must come to `closing_ucr`."""
        gained = self.opening_ucr + self.purchases_ucr + self.grants_ucr + self.adjustments_ucr
        return gained - self.usage_ucr - self.refunds_ucr - self.expiry_ucr
