"""Keys that may do all that new keys could do before may buy credit too, as new keys may."""

from django.db import migrations

_ADD = """
UPDATE accounts_appkey SET scopes = array_append(scopes, 'billing')
WHERE kind <> 'publishable'
  AND scopes @> ARRAY['chat', 'models', 'images', 'audio', 'jobs', 'realtime', 'credits:read',
                      'analytics:read']::varchar[]
  AND NOT scopes @> ARRAY['billing']::varchar[]
"""


class Migration(migrations.Migration):
    """A key whose scopes somebody narrowed stays as it is; a publishable one never buys."""

    dependencies = [("accounts", "0003_realtime_scope")]
    operations = [migrations.RunSQL(_ADD, migrations.RunSQL.noop)]
