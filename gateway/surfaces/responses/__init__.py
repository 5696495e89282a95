"""The responses form of the core surface: OpenAI's Responses API, whatever provider answers.

request.py   its JSON read strictly       items.py   the items of its input
tools.py     its tools and its choice of them
turns.py     its items as messages that every provider is asked in
answer.py    a finished answer            stream.py  a stream, event by event
output.py    the items of a stream, each from its first event to its last
reasoning.py signed reasoning, given out and taken back
views.py     the handler

Nothing is stored: whatever would need that is refused by name.
Source: github openai/openai-openapi v2.3.0 (2026-08-21); `openai` Python SDK 3.52.0.
"""
