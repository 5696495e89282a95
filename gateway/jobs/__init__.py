"""Long work (images and their changes, music): from a request that holds credits to files, once,
whatever dies.

In web processes, async
quoting.py      what a job may cost and where     submitting.py  hold it and write it: one statement
desk.py         the process's lanes for that      waiting.py     one LISTEN connection for who waits
queries.py      the owner's reads                 views.py       a job as surfaces see it
fitness.py      which models can make a request
callbacks.py    what providers tell us            addresses.py   where they tell it
inbox.py        what they told, for staff
In workers, sync, threads that mostly wait
tasks.py        what Celery calls                 ringing.py     which runs are due
working.py      one step of one run               submission.py, polling.py, storing.py  the steps
leases.py       who works on a run, until when    exchange.py    HTTP towards providers
own_work.py     runs that no provider is asked for
workshop.py     what a worker keeps, circuits.py  patience.py    when the database is away
Anywhere, sync
transitions.py  each change of a run              ending.py      the last run ends the job
cancelling.py, repeating.py, sweeping.py, forgetting.py, invariants.py
asked.py        requests and keys, sealed         statements.py  T1 (../sql/hold_jobs.sql)

docs/jobs.md tells how it fits, docs/decisions/009-jobs.md why. Surfaces are not here.
"""
