"""What staff see of the gateway: the catalogue, the calls and their receipts."""

from gateway.admin import calls, catalogue

__all__ = ["calls", "catalogue"]
