"""What an inventory says, once it is known to be right. Everything here is immutable.

The classes that end in ``Entry`` are what stands in the files; what is built on them adds what follows from that.
The description and the example of a field appear in error messages and on the reference page.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from deploy.inventory import components
from deploy.inventory.fields import (
    Address,
    Domain,
    Https,
    Ipv4,
    Ipv6,
    Mailbox,
    Network,
    ReachableAs,
    ZoneName,
    filled,
)
from deploy.inventory.records import record

PUBLIC_NAMES: Mapping[str, tuple[str, ...]] = {
    "mail": ("mail",),
    "ldap": ("directory",),
    "autoconfig": ("mail", "web"),
    "autodiscover": ("mail", "web"),
    "mta-sts": ("mail", "web"),
    "www": ("web",),
    "sso": ("web", "sso"),
    "groupware": ("web", "groupware"),
    "acme": ("acme_authority",),
}
"""Public names and the capabilities that they need; the name stands on the host that runs the last of them."""

Seconds = Annotated[int, Field(strict=True, ge=1, le=86400)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RootServer(_Model):
    """A name server of a private root."""

    name: Domain = Field(description="its name", examples=["ns1.test"])
    ipv4: Ipv4 = Field(description="its IPv4 address", examples=["198.18.10.14"])
    ipv6: Ipv6 = Field(description="its IPv6 address", examples=["fd00:18:10::14"])


class Acme(_Model):
    """The authority that certificates come from (RFC 8555)."""

    directory: Https = Field(description="address of its directory", examples=["https://acme.test:14000/dir"])
    address: tuple[Address, ...] = Field(
        (), description="its addresses, where the directory's name alone is not enough for the firewall"
    )
    root_url: str = Field("", description="labs only: where its root certificate is fetched; empty: publicly trusted")
    pin: str = Field(
        "", description="its key's digest as curl takes it, `sha256//…`, where no CA is known; the lab computes its own"
    )
    caa: str = Field("", description="its name in CAA records; empty: the domain of the directory")

    @property
    def issuer(self) -> str:
        """Its name in a CAA record (RFC 8659, 4.2)."""
        return self.caa or ".".join((urlsplit(self.directory).hostname or "").split(".")[-2:])


class Platform(_Model):
    """What holds for every organisation: the key ``platform`` in ``group_vars/all/main.yml``."""

    environment: Literal["lab", "poc", "production"] = Field(description="what this is", examples=["poc"])
    primary: str = Field(description="the organisation that the smoke suite serves", examples=["rijk"])
    management: Annotated[tuple[Network, ...], AfterValidator(filled)] = Field(
        description="addresses or networks that ssh may come from", examples=["[192.0.2.10]"]
    )
    dns_root: tuple[RootServer, ...] = Field((), description="name servers of a private root; empty: the real root")
    acme: Acme | None = Field(None, description="the authority that certificates come from")


class HostEntry(_Model):
    """A host in ``hosts.yml``."""

    ipv4: Ipv4 = Field(description="its IPv4 address", examples=["198.18.10.11"])
    ipv6: Ipv6 = Field(description="its IPv6 address", examples=['"fd00:18:10::11"'])
    ansible_host: ReachableAs = Field("", description="where ssh finds it; empty: its IPv4 address")
    extra_addresses: tuple[Address, ...] = Field((), description="further addresses of both families")
    runs: tuple[str, ...] = Field(description="its capabilities", examples=["[dns, mail]"])


class Host(HostEntry):
    """A host.

    Attributes:
        name: its name in the inventory, a DNS label.
        organisation: the id of its organisation.
        fqdn: its own name, ``<name>.<domain>``.
        roles: its roles in converge order.
        variables: every variable that the inventory gives it, by Ansible's precedence.
    """

    name: str
    organisation: str
    fqdn: str
    roles: tuple[str, ...]
    variables: Mapping[str, Any] = Field(default_factory=dict, repr=False)

    @property
    def addresses(self) -> tuple[str, ...]:
        """All its addresses, the main ones first."""
        return (self.ipv4, self.ipv6, *self.extra_addresses)


class OrganisationEntry(_Model):
    """The key ``organisation`` in ``group_vars/<organisation>/main.yml``."""

    name: Annotated[str, AfterValidator(filled)] = Field(description="its name for people", examples=["Voorbeeldrijk"])
    domain: Domain = Field(description="its domain", examples=["rijk.test"])
    contact: Mailbox = Field(description="mail address for security reports", examples=["security@rijk.test"])
    names: Mapping[str, Domain] = Field(
        default_factory=dict, description="public names that are not `<name>.<domain>`, such as `mail: mx.rijk.test`"
    )
    zones: tuple[ZoneName, ...] = Field((), description="zones that its name servers serve beside its domain")
    records: tuple[Annotated[str, AfterValidator(record)], ...] = Field(
        (), description="further DNS records, lines of a master file relative to its domain"
    )
    ttl: Seconds = Field(3600, description="how long others may keep its DNS records, in seconds")


class Organisation(OrganisationEntry):
    """A group of hosts under one domain.

    Attributes:
        id: the name of its group in ``hosts.yml``.
        components: capability: component, or ``off``.
        hosts: its hosts by name, in the order of ``hosts.yml``.
    """

    id: str
    components: Mapping[str, str]
    hosts: Mapping[str, Host]

    @property
    def base_dn(self) -> str:
        """The root of its directory (RFC 2247)."""
        return ",".join(f"dc={label}" for label in self.domain.split("."))

    @property
    def roles(self) -> frozenset[str]:
        """Every role that one of its hosts has."""
        return frozenset(role for host in self.hosts.values() for role in host.roles)

    def running(self, capability: str) -> tuple[Host, ...]:
        """Its hosts that run a capability."""
        return tuple(host for host in self.hosts.values() if capability in host.runs)

    @cached_property
    def nameservers(self) -> Mapping[str, Host]:
        """Its name servers by their public name: ns1, ns2 and so on, in the order of ``hosts.yml``."""
        servers = enumerate(self.running("dns"), start=1)
        return {self.names.get(f"ns{number}", f"ns{number}.{self.domain}"): host for number, host in servers}

    @cached_property
    def public_names(self) -> Mapping[str, str]:
        """Every public name in use: what it is for (``mail``, ``ns1``): the name itself."""
        names = {
            key: self.names.get(key, f"{key}.{self.domain}")
            for key, needs in PUBLIC_NAMES.items()
            if all(map(self.running, needs))
        }
        return names | {f"ns{number}": name for number, name in enumerate(self.nameservers, start=1)}

    def located(self, key: str) -> tuple[Host, ...]:
        """The hosts that a public name stands on.

        Args:
            key: what the name is for: ``mail``, ``www``, ``ns1`` and so on.
        """
        if key in PUBLIC_NAMES:
            return self.running(PUBLIC_NAMES[key][-1])
        return (self.nameservers[self.public_names[key]],)


class Inventory(_Model):
    """An inventory that was read and found to be right.

    Attributes:
        path: its directory.
        platform: what holds for every organisation.
        organisations: by id, in the order of ``hosts.yml``.
    """

    path: Path
    platform: Platform
    organisations: Mapping[str, Organisation]

    @property
    def name(self) -> str:
        """The name of its directory; the vault key is kept under it."""
        return self.path.resolve().name

    @property
    def environment(self) -> str:
        """``lab``, ``poc`` or ``production``."""
        return self.platform.environment

    @property
    def primary(self) -> Organisation:
        """The organisation that the smoke suite serves."""
        return self.organisations[self.platform.primary]

    @property
    def domain(self) -> str:
        """The domain of the primary organisation."""
        return self.primary.domain

    @property
    def components(self) -> Mapping[str, str]:
        """The components of the primary organisation."""
        return self.primary.components

    @cached_property
    def hosts(self) -> Mapping[str, Host]:
        """Every host by name, in the order of ``hosts.yml``."""
        return {name: host for organisation in self.organisations.values() for name, host in organisation.hosts.items()}


def roles_of(runs: tuple[str, ...], chosen: Mapping[str, str]) -> tuple[str, ...]:
    """The roles of a host, as far as the table knows its capabilities and their components."""
    known = [name for name in runs if chosen.get(name) in getattr(components.CAPABILITIES.get(name), "components", {})]
    return components.roles(known, chosen)
