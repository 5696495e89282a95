"""The catalogue: channels × kinds → models, as data.

model-catalog.json  what we ship                       file.py      reading and checking it, pure
loader.py           the file into the database         services.py  every write, with its history
snapshot.py         the whole in memory, for calls     listing.py   the body of GET /v1/models
errors.py           what resolving may refuse

Prices are billing's. Whether a provider can be reached is routing's (gateway/routing.py): a kind of
a provider that is not installed resolves, and is then refused with 503 like one without a key.
"""
