"""A pytest plugin, loaded before Django's settings: gives each worker its servers' databases.

`manage.py test` starts the servers and says where they are in STUDIO_TEST_*. Without them, tests
that touch no server still run.
"""

import os

from tests.databases import WORKER, facts

os.environ.setdefault("DEBUG", "1")
os.environ.setdefault("SECRET_KEY", "only-for-tests-" + "x" * 40)
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "studio.settings")
os.environ["STUDIO_DOTENV"] = "0"

_facts = facts()
if _facts:
    os.environ["DATABASE_URL"] = _facts.database(f"studio_test_{WORKER}").app_url
    os.environ["DATABASE_OWNER_URL"] = _facts.database(f"studio_test_{WORKER}").owner_url
    os.environ["REDIS_URL"] = _facts.redis_url
