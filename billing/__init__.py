"""Money: the ledger, the price book, and nothing that knows a provider or a request.

sql/            the ledger itself, in schema `ledger`: begin with sql/tables.sql, then sql/hold.sql
ledger.py       its functions from Python, arrays in and verdicts out
services.py     writes outside the proxy path: grants, sweeps     tasks.py  which Celery rings for
queries.py      balances
pricing.py      what a call costs, pure
price_books.py  every write of the price book                     price_file.py  prices.toml
models/         ledger.py is read-only, over views; prices.py is the book
admin/          what staff sees of both

Nothing writes the ledger's tables but its functions. The gateway calls them inside its own combined
statements. Who used what is the usage table, which belongs to analytics.
"""
