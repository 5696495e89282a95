"""What the catalogue refuses."""

from studio.core.errors import GatewayError, InvalidRequest


class UnknownKind(GatewayError):
    """There is no such kind, model or alias. Its status is the studio surface's; core says 404."""

    code = "model_not_found"
    status = 500


class UnknownChannel(InvalidRequest):
    """There is no such channel."""

    code = "unknown_channel"


class WrongOperation(InvalidRequest):
    """The kind or model exists and does something else than what was asked for."""

    code = "wrong_operation"
