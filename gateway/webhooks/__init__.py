"""Webhooks out: customers' servers are told how their jobs ended.

endpoints.py   what customers and staff do with an address: add, change, rotate, test, replay
queries.py     what they read of it and of what was sent
announcing.py  the end of a job becomes one message per address, in the job's last transaction
tending.py     addresses that take nothing for a day are switched off (tasks.py rings)
errors.py      why an address is refused

Messages are signed and sent by the outbox (billing/outbox.py, studio/core/webhooks.py).
docs/api/webhooks.md tells what receivers may rely on. What providers tell us is gateway/jobs'.
"""
