"""A program that rolls in processes which are killed: `python -m bench.torture.mortal_roller`.

With `each`: one process is killed at its first statement, the next at its second, and so on, until
one lives; prints the watermark after each. With a seed: process after process, each killed at a
statement by chance or not at all, until its standard input ends; prints a line for each that was
killed.
"""

import os
import random
import select
import signal
import sys
from collections.abc import Callable

import django

_LONGEST_ROLL = 22
"""Statements; a process that is to be killed later lives."""


def _roll_until(statement: int) -> bool:
    """Roll in a process of its own. Returns: whether it was killed on the way."""
    pid = os.fork()
    if pid == 0:
        _die_at(statement)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.WEXITSTATUS(status) == 0, "the roller failed by itself"
    return False


def _die_at(statement: int) -> None:
    # These need Django set up.
    from django.db import connection

    from analytics.rolling import RollerBusy, roll

    passed = 0

    def execute(run: Callable[..., object], *arguments: object) -> object:
        nonlocal passed
        passed += 1
        result = run(*arguments)
        if passed == statement:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    code = 1
    try:
        with connection.execute_wrapper(execute):
            roll()
        code = 0
    except RollerBusy:  # PostgreSQL has not yet noticed that the one before is dead
        code = 0
    finally:
        os._exit(code)


def _watermark() -> int:
    # This needs Django set up.
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT transaction_id FROM analytics.watermark")
        found = int(cursor.fetchone()[0])
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]  # PostgreSQL's
    return found


def main() -> None:
    """Roll and die."""
    django.setup()
    if sys.argv[1] == "each":
        statement = 1
        while _roll_until(statement):
            print(_watermark(), flush=True)
            statement += 1
        return
    chance = random.Random(int(sys.argv[1]))
    while not select.select([sys.stdin], [], [], 0)[0]:
        if _roll_until(chance.randrange(1, _LONGEST_ROLL + 6)):
            print("killed", flush=True)


if __name__ == "__main__":
    main()
