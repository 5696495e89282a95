"""What is left standing when processes are killed under load: nothing lost, nothing charged twice,
no credit stuck.

command.py   the order of a run, what `manage.py torture` calls
stage.py     servers and processes that may be killed
rounds.py    one load under which processes are killed, and what came of it
callers.py   the load, a process of its own
records.py   what it wrote down, call by call
checking.py  the questions asked of the database afterwards
holds.py     far more callers at once than the wallet affords

web_points.py  a gateway killed at each point of the walk (points.py), to which scene.py leads it
               by gates.py; aftermath.py knows what must have become of its calls
jobs.py      media workers killed at each state of a job, the broker flushed, messages repeated
hands.py     a worker or a person of ours who may be killed, and deeds.py what they do

rollups.py   rollers of usage killed at any statement (mortal_roller.py), late commits all around

money.py     the ledger's own cases: `ledger`, and `ledger-kills`      plans.py  what they pass on
oracle.py    a wallet in memory, by the book of docs/ledger.md
steps.py     taking a step in the product and beside it in the oracle; moves.py and staff_moves.py
             are the steps, compared.py compares every row
machine.py   steps as Hypothesis chooses them                           mixing.py  and by chance

Everything runs on throw-away servers with fsync on. Nothing of the product imports this package but
its command.
"""
