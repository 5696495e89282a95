"""The project: settings, both doors (asgi.py), Celery, and the supervisor behind `manage.py up` and
`manage.py test`.

core/ has no models and imports nothing of ours; accounts/ says who is calling. What the product
does lives in gateway/, billing/ and analytics/.
"""
