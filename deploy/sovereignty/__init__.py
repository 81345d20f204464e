"""The view from inside: what hosts do, held against what was declared (`bsw audit`)."""

from deploy.sovereignty.memory import memory
from deploy.sovereignty.refused import Attempt
from deploy.sovereignty.view import audit, flows

__all__ = ["Attempt", "audit", "flows", "memory"]
