"""What an organisation publishes under its domain."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping

from deploy.dns import keys
from deploy.dns.policy import mta_sts_id
from deploy.dns.zone import Record, text
from deploy.inventory.model import PUBLIC_NAMES, Acme, Host, Organisation

MAIL_PORTS = (25, 465, 587, 993)
"""Ports of a mail server that speak TLS: SMTP, submission twice, IMAP."""

SERVICES = {"_imaps": 993, "_submissions": 465, "_submission": 587, "_sieve": 4190}
"""Services of a mail server that clients look up (RFC 6186, RFC 8314 5.1, RFC 5804 1.8) and their ports."""

NOT_SERVED = ("_imap", "_pop3", "_pop3s")
"""Services that clients look up and that are not there: a target of ``.`` says so (RFC 2782)."""

DAV_PATH = "/SOGo/dav/"
"""Where calendars and contacts begin on the groupware's server (RFC 6764, 4)."""

DKIM_SELECTOR = ("rspamd_dkim_selector", "s1")
"""The option that names the selector, and its default."""


def records(organisation: Organisation, secrets: Mapping[str, str], acme: Acme | None) -> Iterator[Record]:
    """Everything that an organisation publishes under its domain, but SOA and NS.

    Args:
        organisation: whose records.
        secrets: its secrets by name; TLSA and DKIM follow from them.
        acme: the authority that its certificates come from.
    """
    yield from _addresses(organisation)
    yield from _mail(organisation, secrets) if organisation.running("mail") else _no_mail(organisation)
    yield from _groupware(organisation)
    yield from _senders(organisation)
    yield from _authority(organisation, acme)
    if "certificates_key_secret" in secrets:
        yield from _tlsa(organisation, keys.tlsa(secrets["certificates_key_secret"]))


def address_records(name: str, addresses: Iterable[str]) -> Iterator[Record]:
    """A and AAAA of a name."""
    for address in addresses:
        yield Record(name, "A" if ipaddress.ip_address(address).version == 4 else "AAAA", address)


def _addresses(organisation: Organisation) -> Iterator[Record]:
    for host in organisation.hosts.values():
        yield from address_records(f"{host.fqdn}.", host.addresses)
    for name, hosts in _located(organisation).items():
        for host in hosts:
            yield from address_records(f"{name}.", (host.ipv4, host.ipv6))


def _located(organisation: Organisation) -> Mapping[str, tuple[Host, ...]]:
    """Every public name with its hosts, the bare domain included where there is a web server."""
    names = {name: organisation.located(key) for key, name in organisation.public_names.items()}
    web = organisation.running("web")
    return {organisation.domain: web} | names if web else names


def _mail(organisation: Organisation, secrets: Mapping[str, str]) -> Iterator[Record]:
    domain, mail = f"{organisation.domain}.", f"{organisation.public_names['mail']}."
    yield Record(domain, "MX", f"10 {mail}")
    yield _txt(f"_dmarc.{domain}", f"v=DMARC1; p=reject; rua=mailto:dmarc@{organisation.domain}; adkim=s; aspf=s")
    yield _txt(f"_smtp._tls.{domain}", f"v=TLSRPTv1; rua=mailto:tls-reports@{organisation.domain}")
    if "mta-sts" in organisation.public_names:
        yield _txt(f"_mta-sts.{domain}", f"v=STSv1; id={mta_sts_id(organisation)}")
    if "rspamd_dkim_secret" in secrets:
        selector = organisation.running("mail")[0].variables.get(*DKIM_SELECTOR)
        yield _txt(f"{selector}._domainkey.{domain}", keys.dkim(secrets["rspamd_dkim_secret"]))
    for service, port in SERVICES.items():
        yield Record(f"{service}._tcp.{domain}", "SRV", f"0 1 {port} {mail}")
    for service in NOT_SERVED:
        yield Record(f"{service}._tcp.{domain}", "SRV", "0 0 0 .")
    if autodiscover := organisation.public_names.get("autodiscover"):
        yield Record(f"_autodiscover._tcp.{domain}", "SRV", f"0 1 443 {autodiscover}.")


def _groupware(organisation: Organisation) -> Iterator[Record]:
    """Where programs find calendars and contacts from an address alone, and that it is encrypted only (RFC 6764, 3)."""
    if name := organisation.public_names.get("groupware"):
        for service in ("caldav", "carddav"):
            encrypted = f"_{service}s._tcp.{organisation.domain}."
            yield Record(encrypted, "SRV", f"0 1 443 {name}.")
            yield _txt(encrypted, f"path={DAV_PATH}")
            yield Record(f"_{service}._tcp.{organisation.domain}.", "SRV", "0 0 0 .")


def _no_mail(organisation: Organisation) -> Iterator[Record]:
    """A domain that neither sends nor receives mail (RFC 7505)."""
    domain = f"{organisation.domain}."
    yield Record(domain, "MX", "0 .")
    yield _txt(f"_dmarc.{domain}", "v=DMARC1; p=reject; adkim=s; aspf=s")


def _senders(organisation: Organisation) -> Iterator[Record]:
    """SPF: literal addresses of the mail server, nobody for all other names (RFC 7208)."""
    mail = organisation.running("mail")
    literals = [f"ip4:{host.ipv4} ip6:{host.ipv6}" for host in mail]
    senders = {organisation.domain, organisation.public_names.get("mail")} if mail else set()
    for name in sorted({organisation.domain, *_located(organisation), *_hosts(organisation)}):
        allowed = literals if name in senders else []
        yield _txt(f"{name}.", " ".join(["v=spf1", *allowed, "-all"]))


def _hosts(organisation: Organisation) -> Iterator[str]:
    return (host.fqdn for host in organisation.hosts.values())


def _authority(organisation: Organisation, acme: Acme | None) -> Iterator[Record]:
    """CAA: who may certify names below the domain (RFC 8659)."""
    domain = f"{organisation.domain}."
    issuer = acme.issuer if acme and organisation.running("certificates") else ";"
    yield Record(domain, "CAA", f'0 issue "{issuer}"')
    yield Record(domain, "CAA", '0 issuewild ";"')
    yield Record(domain, "CAA", f'0 iodef "mailto:{organisation.contact}"')


def _tlsa(organisation: Organisation, data: str) -> Iterator[Record]:
    names = organisation.public_names
    ports = {(names["mail"], port) for port in MAIL_PORTS if "mail" in names}
    ports |= {(name, 443) for key, name in names.items() if "web" in PUBLIC_NAMES.get(key, ())}
    ports |= {(names["ldap"], 636) for _ in organisation.running("directory")}
    ports |= {(organisation.domain, 443) for _ in organisation.running("web")}
    for name, port in sorted(ports):
        yield Record(f"_{port}._tcp.{name}.", "TLSA", data)


def _txt(name: str, content: str) -> Record:
    return Record(name, "TXT", text(content))
