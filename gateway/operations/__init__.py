"""What a caller can ask for, in a form that no provider and no public API owns.

chat.py           read a chat request, and what others ask of it
chat_request.py   its fields          chat_messages.py  its messages, parts and tools
chat_tokens.py    tokens: what was used, and what may be used at most
embedding.py      texts to become vectors, and vectors as numbers or base64
realtime.py       a secret for a realtime session
json_body.py      what every JSON body must survive first

Pure: no Django, no I/O. Prices, routes and error envelopes live elsewhere.
"""
