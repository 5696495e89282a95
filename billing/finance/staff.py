"""Who of our people a command works for. A shell proves nobody: whoever has it answers for it."""

from django.contrib.auth.models import User

from studio.core.errors import Forbidden


def access_staff(username: str, permission: str) -> User:
    """Find a member of staff who has a permission. Raises: Forbidden."""
    staff = User.objects.filter(username=username, is_staff=True, is_active=True).first()
    if staff is None or not staff.has_perm(permission):
        raise Forbidden(f"{username} is no member of staff who may do this ({permission})")
    return staff
