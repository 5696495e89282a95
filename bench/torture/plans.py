"""What the processes of the money cases are told, and what they answer: JSON in, JSON out."""

import msgspec


class MachinePlan(msgspec.Struct, frozen=True, kw_only=True):
    """How long: so many histories of so many steps each, from one seed.

    `owner_url` is the owner's way in, which moves time.
    """

    seed: int
    histories: int
    steps: int
    owner_url: str


class Tally(msgspec.Struct, kw_only=True):
    """What was done: steps by name, connections dropped before and after the commit."""

    histories: int = 0
    steps: dict[str, int] = {}
    crashes: dict[str, int] = {}


class MixPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Who one process of the load is, and the owner's way in, which moves time."""

    seed: str
    owner_url: str


class MixTally(msgspec.Struct, kw_only=True):
    """What one process did, and what was wrong."""

    steps: dict[str, int] = {}
    crashes: dict[str, int] = {}
    different: list[str] = msgspec.field(default_factory=list)


def add_counts(total: dict[str, int], counts: dict[str, int]) -> None:
    """Add what was counted to what was counted before."""
    for name, count in counts.items():
        total[name] = total.get(name, 0) + count
