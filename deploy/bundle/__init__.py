"""The signed package source: exactly the Debian packages that hosts need, made once, verified on both ends."""

from deploy.bundle.check import verify
from deploy.bundle.mirror import Mirror
from deploy.bundle.server import serve, serving
from deploy.bundle.source import apt_source
from deploy.bundle.workshop import Bundle, build

__all__ = ["Bundle", "Mirror", "apt_source", "build", "serve", "serving", "verify"]
