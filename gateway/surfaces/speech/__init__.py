"""The speech API, /speech: texts spoken by Orpheus, chats that are answered aloud, the voices.

entry.py    who may come in, and the provider keys of this API     bodies.py   what is asked
generate.py a text spoken                                          chat.py     an answer, spoken
voices.py   the voices                                             status.py   health and figures

Errors are `{"error": {"code", "message", "details"}}` (envelopes.py).
"""
