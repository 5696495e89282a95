"""Refusals of callers, in the seeds' words. None tells what about a credential was wrong."""

from studio.core.errors import Conflict, Forbidden, InvalidRequest, NotFound, Unauthenticated


class CredentialRequired(Unauthenticated):
    """The request carries no credential."""

    def __init__(self) -> None:
        super().__init__("Authentication required: provide Bearer token or x-app-key header")


class InvalidAppKey(Unauthenticated):
    """No such app key, a wrong one, an expired or a revoked one."""

    def __init__(self) -> None:
        super().__init__("Invalid app key")


class InvalidSession(Unauthenticated):
    """No such session token, or one that is over."""

    def __init__(self) -> None:
        super().__init__("Invalid or expired session token")


class InvalidToken(Unauthenticated):
    """A bearer token that is not accepted, whatever the reason."""

    def __init__(self) -> None:
        super().__init__("Invalid or expired token")


class CredentialsDiffer(Unauthenticated):
    """Two credentials that stand for different callers."""

    def __init__(self) -> None:
        super().__init__("The credentials of this request name different callers: send one")


class MalformedCredential(InvalidRequest):
    """A credential header that proxies and servers might read differently."""


class WorkspaceClosed(Forbidden):
    """The workspace of a valid credential was closed."""

    def __init__(self) -> None:
        super().__init__("This workspace is closed")


class SessionNotAllowed(Forbidden):
    """A session token tried to open another session."""

    def __init__(self) -> None:
        super().__init__("A session cannot open a session: refresh it, or use the app key or JWT")


class AccountNotFound(NotFound):
    """No such workspace, tier, key or session."""


class WorkspaceExists(Conflict):
    """The name is taken."""
