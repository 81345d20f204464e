"""The bundle that an inventory's hosts need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from deploy import bundle
from deploy.converge.declared import declared
from deploy.inventory import Inventory
from deploy.lab import image
from deploy.paths import CACHE

DIRECTORY = CACHE / "bundle"

Hear = Callable[[str, str, str], None]
"""Called with host (or ``controller``), stage and one line about it."""


def build(
    *inventories: Inventory,
    variables: Mapping[str, Any] | None = None,
    update: bool = False,
    hear: Hear = lambda *_: None,
) -> bundle.Bundle:
    """Build the package source for every package that a host of the inventories declares.

    Args:
        variables: further variables for every host of the first inventory.
        update: take the mirror's newest versions and write a new lock.
        hear: called with ``controller``, ``bundle`` and a line.
    """
    given = [variables, *[None] * len(inventories)]
    hosts = [
        host for inventory, own in zip(inventories, given, strict=False) for host in declared(inventory, own).values()
    ]
    packages = sorted({package for host in hosts for package in host.packages})
    status = image.base() / "var/lib/dpkg/status"
    return bundle.build(packages, status, update=update, progress=lambda line: hear("controller", "bundle", line))
