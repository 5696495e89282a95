"""From a request to a provider and back.

surfaces/    the public APIs: their JSON, their envelopes, nothing else        operations/  one file per operation, provider-neutral
providers/   one pure file per upstream                                        catalogue/   kinds, channels, models, as data
admission.py who calls, and may they now                                       routing.py   kind → provider, address, key, price
chat.py      the walk of one chat: quote, hold, call, settle                   calls.py     the call row: hold and settle statements
batch.py     what queued while the last statement ran goes out together        transport.py HTTP towards providers
runtime.py   what one process holds open                                       resolver.py  calls whose process died

No price and no model name in Python; no ledger table is written but through billing's functions.
"""
