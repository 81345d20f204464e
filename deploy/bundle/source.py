"""What a host needs to know of the bundle."""

from __future__ import annotations

from pathlib import Path

from deploy.bundle.index import SUITE
from deploy.bundle.key import PUBLIC
from deploy.bundle.stanza import render


def apt_source(bundle: Path, url: str) -> str:
    """Return the text of `/etc/apt/sources.list.d/bsw.sources`, with the key in it, so that it needs no second file.

    Args:
        bundle: the bundle's folder; its public key is read.
        url: where the host reaches the bundle, such as `http://127.0.0.1:8180/`; `file:` addresses will do as well.

    Raises:
        OSError: the bundle has no public key.
    """
    key = "".join(f"\n {line or '.'}" for line in (bundle / PUBLIC).read_text().splitlines())
    uri = f"{url.rstrip('/')}/apt"
    return render({"Types": "deb", "URIs": uri, "Suites": SUITE, "Components": "main", "Signed-By": key})
