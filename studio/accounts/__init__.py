"""Who is calling: workspaces (who pays), members, tiers, app keys, sessions, JWT issuers.

credentials.py  what a request's headers present      keys.py      format and MAC of app keys
jwts.py         verification of JWTs, pure            scopes.py    what a key may be allowed
callers.py      `Caller`, all that others know of one errors.py    refusals, in the seeds' words
queries.py      `identify`: credential to caller      services.py  every write
read_only_admin.py   what staff's read-only pages share, in every app

PostgreSQL is the truth. The copies of callers in Redis are gateway's and live four seconds.
No money, no limits, no HTTP: billing, gateway.limiter and gateway.surfaces have those.
"""
