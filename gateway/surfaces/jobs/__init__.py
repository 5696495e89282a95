"""Long work as callers see it: /v1/jobs for all of it, and what surfaces that make media share.

making.py   from a surface's body to a job, and the wait for its end
files.py    the addresses of what was made, or its bytes
wire.py     a job as JSON              views.py   /v1/jobs
"""
