"""What must hold of every job at any time, as views (../sql/job_violations.sql,
../sql/input_violations.sql).
"""

from django.db import connection

VIEW = """
SELECT * FROM job_violations UNION ALL SELECT * FROM input_violations LIMIT 1000
"""


def find_job_violations() -> list[str]:
    """Give every broken invariant in words; an empty answer is the only good one."""
    with connection.cursor() as cursor:
        cursor.execute(VIEW)
        return [f"{row[0]}: workspace {row[1]}, job {row[2]}, {row[3]}" for row in cursor]
