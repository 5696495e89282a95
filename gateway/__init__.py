"""From a request to a provider and back.

surfaces/     the public APIs: their JSON, their envelopes, nothing else
operations/   one file per operation, provider-neutral
providers/    one pure file per upstream
catalogue/    kinds, channels, models, as data
admission.py  who calls, and may they now        limiter.py     rate and concurrency, in Redis
quoting.py    what it may cost, and holding it   routing.py     kind to provider, address, price
chat.py       the walk of one chat               outcomes.py    what it is charged at its end
attempts.py   one route after the other          sending.py     asking one of them
breaker.py    providers left alone for a while   retry_budget.py how often to try again
pacing.py     providers asked no faster than they allow; paces.py  how fast that is, as data
single.py     the walk of one question and one answer; single_quotes.py  what it may cost
works.py      what that walk is for: embeddings, realtime secrets
transcribing.py  single.py's walk for speech that is written down
sound_children.py  how long a stranger's sound is, measured by processes of their own (sound_child)
estimating.py what a call would cost             idempotency.py answers given before
telling.py    how a failure of a caller's own key is told
calls.py      hold, settle, heartbeat            statements.py  their SQL (sql/)
batch.py, lane.py   natural batching over one connection each
transport.py  HTTP towards providers             resolver.py    calls whose process died
runtime.py    what one process holds open        world.py       catalogue and prices in memory
pool.py       a few connections for questions    refusals.py    requests refused, counted
budgets.py    spend caps before a hold           receipts.py    all that is known of a call
speech/       the walk of one text to be spoken  voices/        which voices there are
sound/        samples: encoded, joined, measured imaging/       what Image Studio knows, as data
access_log.py one line per request               reconcile.py   does everything add up

No price and no model name in Python; no ledger table is written but through billing's functions.
"""
