"""The public APIs.

A surface owns its paths, its JSON and its error envelope, and nothing else: no price, no provider,
no ledger. `door.py` is the fast door's plumbing, `middleware.py` the Django door's; both use
`answers.py` and `envelopes.py`, so that an error looks the same whichever door it left by.
"""
