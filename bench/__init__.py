"""How fast, how exact: load on the real gateway, always as a ratio to a baseline measured in the same run.

run.py         the list of cases, what the command calls        stack.py      servers and processes of one run
chat.py        cases: plain, streamed, wallets                  slow.py       case: many slow streams at once
parts.py       cases: ledger alone, admission alone             exact.py      proofs: nobody is admitted too much
prepare.py     tier, workspaces, keys and credits of a bench    books.py      what the database says afterwards
load.py        the load generator, a process of its own         upstream.py   the provider, as cheap as it can be
passthrough.py the baseline: same server, same client, no more  behaviour.py  what a prompt asks of the upstream
measure.py     one interleaved measurement                      cost.py       processor time, memory and pinning
report.py      the tables                                       peers.md      other gateways, for comparison

Nothing of the product imports this package but the command that starts it. docs/performance.md has the figures of record.
"""
