"""Doubles of the providers over real HTTP, with faults on demand: no key is needed.

__main__.py    `python -m sandbox --host H --port N`   app.py       which double answers a path
connection.py  one TCP connection: break it, lose it   delivery.py  a reply onto the wire, spoiled
faults.py      the words that ask for a fault          journal.py   what was asked, for tests
messages.py    what a double takes and gives           text.py      tokens and deterministic prose
schema.py      the smallest value of a JSON schema     chat_form.py what all that speak OpenAI share
pictures.py    real images that follow from a seed     sounds.py    likewise MP3 and PCM
openai*.py, anthropic*.py, gemini*.py, xai*.py, openrouter*.py, replicate*.py, elevenlabs*.py,
stripe*.py: a double each

A double is one pure function, `answer(request) -> Reply`. Nothing here imports the product and
the product imports nothing from here: they meet over HTTP. README.md has the words and the rules.
"""
