"""Records of an organisation from its inventory; what the world sees, held against them."""

from deploy.dns.policy import mta_sts, mta_sts_id
from deploy.dns.showing import show
from deploy.dns.world import check
from deploy.dns.zone import Record, Zone
from deploy.dns.zones import trust_anchors, zones

__all__ = ["Record", "Zone", "check", "mta_sts", "mta_sts_id", "show", "trust_anchors", "zones"]
