"""The cases by name, and running them."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from bench.books import reconcile
from bench.chat import adapters, chat_plain, chat_stream, wallets
from bench.exact import exact_http, exact_sql
from bench.finance import finance_export
from bench.measure import Options, Row
from bench.parts import admission_alone, ledger_alone
from bench.report import print_case, write_json
from bench.slow import slow_streams
from bench.stack import Stack, running_stack
from bench.voice import voice

MANY_WALLETS = 1000

CASES: dict[str, Callable[[Stack, Options], Iterable[Row]]] = {
    "chat-plain": chat_plain,
    "chat-stream": chat_stream,
    "adapters": adapters,
    "slow-streams": slow_streams,
    "voice": voice,
    "wallets": wallets,
    "ledger": ledger_alone,
    "admission": admission_alone,
    "exact-http": exact_http,
    "exact-sql": exact_sql,
    "finance-export": finance_export,
}


def run(names: Sequence[str], options: Options, json_file: Path | None) -> bool:
    """Run the cases (all, if none is named), print their tables, and reconcile at the end.

    Returns: whether nothing was wrong. Raises: CannotStart.
    """
    rows: list[Row] = []
    with running_stack(MANY_WALLETS) as stack:
        for name in names or CASES:
            found = list(CASES[name](stack, options))
            print_case(found)
            rows += found
        faults = reconcile(stack)
    print()
    print(*(faults or ["reconcile: nothing found"]), sep="\n")
    if json_file is not None:
        write_json(json_file, rows, faults)
    return not faults and not any(row.faults for row in rows)
