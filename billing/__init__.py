"""Money: the ledger, the price book, and nothing that knows a provider or a request.

sql/            the ledger itself, in schema `ledger`: begin with sql/tables.sql, then sql/hold.sql
ledger.py       its functions from Python, arrays in and verdicts out
services.py     writes outside the proxy path: grants, sweeps     tasks.py  which Celery rings for
money_requests.py  what people of ours ask for: refunds, grants, adjustments, payouts
disputes.py, freezing.py                        beside it
queries.py      balances    journal.py  entries in pages    receipts.py  the money of one call
budgets.py      spend caps per calendar window
alerts.py       whom to tell of a low balance or a cap      outbox.py  messages on their way out
pricing.py      what a call costs, pure    pricing_items.py  so much for an image
price_books.py  every write of the price book                     price_file.py  prices.toml
stripe/         payments: credit bought, refunded, disputed, recharged     packs.toml  what is sold
models/         ledger.py is read-only, over views; money.py what was asked for; prices.py the book
admin/          what staff sees and asks for

Nothing writes the ledger's tables but its functions (docs/ledger.md). The gateway calls them inside
its own combined statements. Who used what is the usage table, which belongs to analytics.
"""
