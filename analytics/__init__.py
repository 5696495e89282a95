"""Who used what: the raw usage table, the cubes over it, what is asked of them.

The store (docs/analytics.md):
sql/usage.sql    the table, partitioned by month, with what each column means
sql/cubes.sql    the sums over it, likewise
rolling.py       sums what is new, each row once
rebuilding.py    sums a month anew; zones.py does so when a workspace's clock changes
histograms.py    times as buckets that add up
partitions.py    seals months and takes them away
rebasing.py      a database restored into a new cluster
reading_role.py  reads as a role that sees one workspace

The questions: query.py is one, typed; reading.py answers it (planner.py, compiler.py and what they
use); words/ reads it from a sentence.

models.py        usage and calendars for staff; admin.py their pages
services.py      writes that are no sums
tasks.py         which Celery rings for

Rows are written by the gateway, in the statement that settles a call, and never changed. Money is
the ledger's: what a row says was charged is what the ledger took, call by call. Nothing here
imports billing or gateway.
"""
