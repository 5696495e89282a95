"""What can go wrong with a file, as callers may be told: with no address and no key of anybody."""

from studio.core.errors import GatewayError, Unavailable


class UnusableFile(GatewayError):
    """The bytes are not what they should be, or more than we take. Another try gives the same."""

    code = "upstream_invalid_response"
    status = 502


class NoPicture(UnusableFile):
    """The bytes are no PNG, JPEG or WEBP at all."""


class InputGone(UnusableFile):
    """A picture that was sent in is not kept any more."""


class FileRefused(GatewayError):
    """The address of the file is none that we fetch from."""

    code = "upstream_invalid_response"
    status = 502


class FileGone(GatewayError):
    """The provider does not have the file, or not any more."""

    code = "upstream_error"
    status = 502


class FileUnreachable(GatewayError):
    """The file did not arrive whole and in time; it may at another try."""

    code = "upstream_error"
    status = 502
    retryable = True


class StorageUnavailable(Unavailable):
    """Our own storage does not take or give the file right now."""


class ImagesBusy(Unavailable):
    """Every process that works on images has been busy for too long."""


class RangeNotSatisfiable(GatewayError):
    """The part that was asked for lies beyond the file's end."""

    code = "range_not_satisfiable"
    status = 416

    def __init__(self, size_bytes: int) -> None:
        super().__init__(
            f"The file has {size_bytes} bytes.", headers={"Content-Range": f"bytes */{size_bytes}"}
        )
