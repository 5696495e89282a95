"""What a caller can ask for, one file per operation, in a form that no provider and no public API owns.

chat.py      the request, read strictly          chat_messages.py  its messages, parts and tools
chat_tokens.py  tokens: used, and at most         json_body.py      what every JSON body must survive first

Pure: no Django, no I/O. Prices, routes and error envelopes live elsewhere.
"""
