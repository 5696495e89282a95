"""Embeddings on the core surface (docs/api/embeddings.md): texts become vectors, in OpenAI's shape.

views.py   the handler of POST /v1/embeddings
"""
