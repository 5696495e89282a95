"""Book moments as one of several processes: `python -m tests.gateway.pace_walker URL NAME WORDS N`.

Prints each booking's moment and tokens, one a line.
"""

import asyncio
import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio.settings")

import redis.asyncio  # noqa: E402  the settings module must be named first

from gateway.paces import operators_paces  # noqa: E402
from gateway.pacing import Pacer  # noqa: E402


async def main(url: str, name: str, words: str, count: int) -> None:
    pacer = Pacer(redis.asyncio.Redis.from_url(url), {}, patience_s=100_000)
    pace = operators_paces({"somebody": words})["somebody"]
    for turn in range(count):
        tokens = 1 + turn * 37 % 90
        booking = await pacer.book(name, pace, tokens)
        print(booking.at_us, tokens, int(booking.is_local))  # noqa: T201  it is what it is for
    await pacer.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
