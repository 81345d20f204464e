"""Read, validate and describe an inventory; keep its secrets.

`load` reads one, `show` says what it has. `secrets` and `variables` are modules of their own.
"""

from deploy.inventory.loading import load, show
from deploy.inventory.model import Acme, Host, Inventory, Organisation, Platform, RootServer

__all__ = ["Acme", "Host", "Inventory", "Organisation", "Platform", "RootServer", "load", "show"]
