"""The view from inside: what hosts do, held against what was declared (`bsw audit`)."""

from deploy.sovereignty.audit import audit, flows
from deploy.sovereignty.refused import Attempt

__all__ = ["Attempt", "audit", "flows"]
