"""Who used what: the raw usage table, and later its cubes, questions and reports.

sql/usage.sql   the table, partitioned by month, with what each column means
models.py       the same for staff, read-only, over a view
admin.py        staff's search in it
services.py     the one write from here: partitions ahead of the clock
tasks.py        which Celery rings for

Rows are written by the gateway, in the statement that settles a call, and never changed. Money is
the ledger's: what a row says was charged is what the ledger took, call by call. Nothing here
imports billing or gateway.
"""
