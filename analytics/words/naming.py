"""Reading what a question may mention: of this workspace, as the role that sees no other."""

from analytics.query import Dimension
from analytics.reading_role import reading_as
from analytics.words.names import NAMED, Name, Names, mentions, names_of
from analytics.words.text import read_words

_MOST_MENTIONED = 200
_MOST_OFFERED = 500
_NAMES = """
WITH fresh AS (
  SELECT DISTINCT u.app_id, u.user_ref, u.model, u.kind, u.provider
  FROM public.usage u, analytics.watermark w
  WHERE w.name = 'usage' AND u.workspace_id = %(workspace)s AND u.transaction_id >= w.transaction_id
), routes AS (
  SELECT d.model, d.kind, d.provider FROM analytics.dimension_route d
  WHERE d.number IN (
    SELECT m.route_number FROM analytics.cube_month m WHERE m.workspace_id = %(workspace)s)
  UNION SELECT model, kind, provider FROM fresh
), named (dimension, value) AS (
  SELECT 'app', app_id FROM analytics.dimension_app WHERE workspace_id = %(workspace)s
  UNION SELECT 'app', app_id FROM fresh
  UNION SELECT 'user', user_ref FROM analytics.dimension_user WHERE workspace_id = %(workspace)s
  UNION SELECT 'user', user_ref FROM fresh
  UNION SELECT 'model', model FROM routes
  UNION SELECT 'kind', kind FROM routes
  UNION SELECT 'provider', provider FROM routes
), keyed AS (
  SELECT dimension, value,
         btrim(regexp_replace(lower(value), '[[:space:]._-]+', ' ', 'g')) = ANY(%(spaced)s)
         OR regexp_replace(lower(value), '[[:space:]._-]+', '', 'g') = ANY(%(glued)s) AS mentioned
  FROM named WHERE value <> ''
)
(SELECT dimension, value FROM keyed WHERE mentioned ORDER BY 1, 2 LIMIT %(mentioned)s)
UNION
(SELECT dimension, value FROM keyed WHERE NOT mentioned AND dimension <> 'user'
 ORDER BY 1, 2 LIMIT %(offered)s)
"""


def read_names(workspace_id: int, question: str) -> Names:
    """Give the names of a workspace that a question may mention; others of its apps, models, kinds
    and providers come along to be offered. Raises: django.db.OperationalError after three seconds.
    """
    keys = mentions([word.text for word in read_words(question)])
    glued = [key[1:] for key in keys if key.startswith("\x1f")]
    with reading_as(workspace_id) as cursor:
        cursor.execute(
            _NAMES,
            {
                "workspace": workspace_id,
                "spaced": [key for key in keys if not key.startswith("\x1f")],
                "glued": glued,
                "mentioned": _MOST_MENTIONED,
                "offered": _MOST_OFFERED,
            },
        )
        found = [Name(Dimension(dimension), value) for dimension, value in cursor.fetchall()]
    return names_of(sorted(found, key=lambda name: (NAMED.index(name.dimension), name.value)))
