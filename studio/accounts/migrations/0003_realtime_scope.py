"""Keys that may do all that clients do may open realtime sessions too, as new keys may."""

from django.db import migrations

_ADD = """
UPDATE accounts_appkey SET scopes = array_append(scopes, 'realtime')
WHERE scopes @> ARRAY['chat', 'models', 'images', 'audio', 'jobs']::varchar[]
  AND NOT scopes @> ARRAY['realtime']::varchar[]
"""


class Migration(migrations.Migration):
    """A key whose scopes somebody narrowed stays as it is."""

    dependencies = [("accounts", "0002_default_tiers")]
    operations = [migrations.RunSQL(_ADD, migrations.RunSQL.noop)]
