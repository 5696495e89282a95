"""Speech from text: by one model, whole or as it comes, kept for the next time.

walk.py      look for it, hold, ask, relay, settle
quotes.py    what it may cost, and holding it
pieces.py    a text cut to what a model takes
sending.py   asking a provider, piece by piece; sound in the format that was asked for
outcomes.py  what is charged at its end
answers.py   what callers are told of a sound
cache.py     sounds kept for a workspace
figures.py   what a workspace uses of the speech API
"""
