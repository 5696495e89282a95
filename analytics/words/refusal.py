"""What is said where a question cannot be answered: why, near words, and three that can."""

import msgspec

OFFERS = (
    "How much did we spend this week?",
    "Top 5 apps by cost last month",
    "Show me all failed requests today",
)

_BEYOND = {
    "reason": "I can count, sum and compare what was used; I cannot tell why.",
    "future": "I can only look back: there are no figures of what has not happened yet.",
    "advice": "I can count, sum and compare what was used; I give no advice.",
    "contents": "What was said in requests and answers is not kept here; I have figures only.",
    "others": "I can only see this workspace.",
    "spread": "I have sums per hour, day, week or month, and the average, the 50th, 95th and 99th "
    "percentile of times; not this.",
    "instruction": "I answer questions about usage; I carry out nothing.",
}


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A question that is not answered. `word` is what was not understood, `near` what is close."""

    message: str
    word: str = ""
    near: tuple[str, ...] = ()
    offers: tuple[str, ...] = OFFERS


class Refused(Exception):
    """The reading ended in a refusal."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal

    @classmethod
    def beyond(cls, why: str, word: str) -> "Refused":
        """Refuse what no figures of usage can say."""
        return cls(Refusal(message=_BEYOND[why], word=word))


def refused(message: str, *, word: str = "", near: tuple[str, ...] = ()) -> Refused:
    """Make a refusal to raise."""
    return Refused(Refusal(message=message, word=word, near=near))
