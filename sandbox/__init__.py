"""Doubles of the providers over real HTTP, with faults on demand: demo, tests and benchmarks need no key.

__main__.py    the command: `python -m sandbox --host H --port N`      app.py        which double answers a path
connection.py  one TCP connection: abort it, see the caller leave      delivery.py   a reply onto the wire, spoiled as asked
faults.py      the words that ask for a fault                          journal.py    what was asked, for tests to read
messages.py    what a double receives and gives back                   text.py       tokens and deterministic prose
schema.py      the smallest value of a JSON schema                     openai*.py    OpenAI's chat (…_checks, …_choices, …_usage)

A double is one pure function, `answer(request) -> Reply`. Nothing here imports the product, and the product
imports nothing from here: they meet over HTTP only. README.md lists the fault words and the rules of the text.
"""
