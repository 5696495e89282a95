"""The messages surface: Anthropic's Messages API, whatever provider answers.

request.py   its JSON read strictly     blocks.py   the content blocks of a request
turns.py     its turns as messages that every provider is asked in
answer.py    a finished answer          stream.py   a stream, event by event
pieces.py    the content blocks of a stream, one after the other
views.py     the two handlers

Source: `anthropic` Python SDK 2.12.0; Anthropic's OpenAPI document of August 2026.
"""
