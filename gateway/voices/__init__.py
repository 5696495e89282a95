"""The voices that callers may choose from: names, what is said of them, how they sound.

voices.json   the voices as data          file.py      reading and checking it. Pure
loader.py     the file into the database  queries.py   the voices as this process knows them
previews.py   examples, made once and kept

A voice here is a description. Whether a text is spoken by it is the provider's word, and voices
that are not listed (of a customer's own account) are spoken by all the same.
"""
