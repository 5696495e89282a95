"""How fast, how exact: load on the real gateway, as ratios to baselines of the same run.

run.py          the cases by name, what `manage.py bench` calls
chat.py         cases: plain chats, streamed chats, many wallets and one
slow.py         case: many slow streams at once
parts.py        cases: the ledger alone, admission alone
exact.py        proofs: nobody is admitted too much
finance.py      case: a statement of a million rows
voice.py        case: speech relayed as it comes
jobs.py         jobs beside a million others, on servers of its own
rollup.py       usage summed into cubes, what that costs
usage_rows.py   usage by the million, the same each time
social.py       one photograph cut for eight networks
sheet.py        what Image Studio makes on one sheet (sheet_calls.py asks for it),
                what `manage.py contact_sheet` calls
smart_crop.py   ways to find a picture's subject, beside each other (crop_scenes.py, crop_stage.py,
                crop_grounds.py: pictures whose subject is known)
stack.py        servers and processes of one run
prepare.py      tier, workspaces, keys and credits of a run
measure.py      one interleaved measurement
load.py         the load generator, a process of its own
upstream.py     the provider, as cheap as it can be
behaviour.py    what a prompt asks of the upstream
passthrough.py  the baselines: same server, the usual client or the gateway's own, no more
books.py        what the database says afterwards
cost.py         processor time, memory and pinning
report.py       the tables
peers.md        other gateways, for comparison
torture/        processes killed under load, what `manage.py torture` calls

Nothing of the product imports this package but those commands. Figures of record are in
docs/performance.md.
"""
