"""Calendars and contacts (WebDAV, RFC 4918; CalDAV, RFC 4791; CardDAV, RFC 6352)."""

from __future__ import annotations

from urllib.parse import urljoin, urlparse
from xml.etree import ElementTree

from smoke_tests.clients import http

SPACES = {"d": "DAV:", "cal": "urn:ietf:params:xml:ns:caldav", "card": "urn:ietf:params:xml:ns:carddav"}


class Dav:
    """Somebody's collections, as a calendar or contacts program finds them."""

    def __init__(self, host: str, user: str, password: str) -> None:
        self.host = host
        self._login = (user, password)

    def ask(self, method: str, path: str, body: str = "", *, kind: str = "", depth: str = "") -> http.Response:
        """One request under the person's name."""
        # whoever does not say what they are SOGo takes for an Apple program, and shows them less
        headers = {"User-Agent": "rooktest"}
        if kind:
            headers["Content-Type"] = kind
        if depth:
            headers["Depth"] = depth
        return http.ask(method, self.host, path, body, login=self._login, headers=headers)

    def properties(self, path: str, *names: str, depth: str = "0") -> dict[str, ElementTree.Element]:
        """Path -> properties of what is there; names have the prefixes of `SPACES`."""
        spaces = " ".join(f'xmlns:{prefix}="{space}"' for prefix, space in SPACES.items())
        wanted = "".join(f"<{name}/>" for name in names)
        body = f'<?xml version="1.0" encoding="utf-8"?><d:propfind {spaces}><d:prop>{wanted}</d:prop></d:propfind>'
        return self.answers(self.ask("PROPFIND", path, body, kind="application/xml; charset=utf-8", depth=depth))

    def report(self, path: str, root: str, body: str) -> dict[str, ElementTree.Element]:
        """Path -> properties of what a REPORT finds."""
        spaces = " ".join(f'xmlns:{prefix}="{space}"' for prefix, space in SPACES.items())
        text = f'<?xml version="1.0" encoding="utf-8"?><{root} {spaces}>{body}</{root}>'
        return self.answers(self.ask("REPORT", path, text, kind="application/xml; charset=utf-8", depth="1"))

    def cards(self, book: str, words: str) -> list[str]:
        """The cards in an address book that a search for a name finds (RFC 6352, 8.6)."""
        match = f'<card:text-match collation="i;unicode-casemap" match-type="contains">{words}</card:text-match>'
        found = self.report(
            book, "card:addressbook-query",
            "<d:prop><d:getetag/><card:address-data/></d:prop>"
            f'<card:filter test="anyof"><card:prop-filter name="FN">{match}</card:prop-filter>'
            f'<card:prop-filter name="EMAIL">{match}</card:prop-filter></card:filter>',
        )  # fmt: skip
        return [one.findtext("card:address-data", "", SPACES) for one in found.values()]

    @staticmethod
    def answers(response: http.Response) -> dict[str, ElementTree.Element]:
        """The parts of a 207 that were found."""
        assert response.status == 207, f"{response.status} {response.text[:200]}"
        found = {}
        for part in ElementTree.fromstring(response.body).iterfind("d:response", SPACES):
            for state in part.iterfind("d:propstat", SPACES):
                properties = state.find("d:prop", SPACES)
                if "200" in state.findtext("d:status", "", SPACES) and properties is not None:
                    found[part.findtext("d:href", "", SPACES)] = properties
        return found

    def start(self, service: str) -> str:
        """Where the well-known address of a service leads (RFC 6764): its path on the same host."""
        response = http.get(self.host, f"/.well-known/{service}")
        assert response.status in (301, 302, 303, 307, 308), response.status
        target = urlparse(urljoin(f"https://{self.host}/", response.headers["location"]))
        assert target.hostname == self.host
        return target.path

    def principal(self, service: str) -> str:
        """Who we are, found from the well-known address and nothing else."""
        [found] = self.properties(self.start(service), "d:current-user-principal").values()
        principal = found.findtext("d:current-user-principal/d:href", "", SPACES)
        assert principal, "the server does not say who we are"
        return principal

    def gateways(self) -> list[str]:
        """Address books of the whole organisation, to search in (draft-daboo-carddav-directory-gateway)."""
        [found] = self.properties(self.principal("carddav"), "card:directory-gateway").values()
        return [urlparse(one.text or "").path for one in found.iterfind("card:directory-gateway/d:href", SPACES)]

    def home(self, service: str, prefix: str, name: str) -> str:
        """The person's own collections."""
        [found] = self.properties(self.principal(service), f"{prefix}:{name}").values()
        home = found.findtext(f"{prefix}:{name}/d:href", "", SPACES)
        assert home, f"the server does not say where the {name} is"
        return urlparse(home).path

    def calendar_home(self) -> str:
        """The folder of the person's calendars."""
        return self.home("caldav", "cal", "calendar-home-set")

    def addressbook_home(self) -> str:
        """The folder of the person's address books."""
        return self.home("carddav", "card", "addressbook-home-set")

    def collections(self, home: str, kind: str) -> list[str]:
        """Calendars (`cal:calendar`) or address books (`card:addressbook`) in a folder."""
        found = self.properties(home, "d:resourcetype", depth="1").items()
        return [urlparse(path).path for path, one in found if one.find(f"d:resourcetype/{kind}", SPACES) is not None]
