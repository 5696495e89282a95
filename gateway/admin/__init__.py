"""What staff see of the gateway: the catalogue and the calls."""

from gateway.admin import calls, catalogue

__all__ = ["calls", "catalogue"]
