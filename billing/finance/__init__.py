"""What finance signs: monthly statements, journal, roll-forward, margins, the close of a month.

periods.py     a month: a calendar month in UTC       snapshot.py  the books at one moment
statements.py  per workspace, tied to the ledger      figures.py   the numbers of a statement
revenue.py     deferred revenue, paid and given       journal.py   balanced lines per day
margins.py     revenue and cost by model              invoices.py  providers' bills, and the drift
closing.py     the close of a month, by two people    closed.py    what was kept at a close
tables.py      a report as columns and rows           reports.py   reports by name, to a file
exports.py     CSV and the sha256                     workbook.py  XLSX
stripe_balance.py  Stripe against the ledger           staff.py    who a command works for
drift.py       what is told of bills                  tasks.py    what Celery rings for

Everything here reads; only closing.py, invoices.py and stripe_balance.py write, and none of them
moves credit. Margins and invoices read the table `usage` by SQL: it belongs to analytics, which
is not imported.
"""
