"""What is left standing when processes are killed under load: nothing lost, nothing charged twice,
no credit stuck.

command.py   the order of a run, what `manage.py torture` calls
stage.py     servers and processes that may be killed
rounds.py    one load under which processes are killed, and what came of it
callers.py   the load, a process of its own
records.py   what it wrote down, call by call
checking.py  the questions asked of the database afterwards
holds.py     far more callers at once than the wallet affords

Everything runs on throw-away servers with fsync on. Nothing of the product imports this package but
its command.
"""
