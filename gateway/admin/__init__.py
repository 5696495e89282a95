"""Admin by subject; importing registers."""

from gateway.admin import catalogue

__all__ = ["catalogue"]
