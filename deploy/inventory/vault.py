"""Encrypted files as ansible-vault makes them, without starting a program and without plain text on disk."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path

from ansible.parsing.vault import AnsibleVaultError, VaultLib, VaultSecret

from deploy import paths
from deploy.errors import Finding, Refused
from deploy.inventory.source import readable

_ID = "default"


def key_path(name: str) -> Path:
    """Where the vault key of an inventory is kept, outside the repository."""
    return paths.CONFIG / "vault" / f"{name}.key"


class Vault:
    """The encrypted files of one inventory.

    Attributes:
        key: the file with the key; Ansible takes it as ``--vault-password-file``.
    """

    def __init__(self, name: str) -> None:
        self.key = key_path(name)

    def make_key(self) -> None:
        """Make the key if there is none: 256 random bits, readable by nobody else."""
        if not self.key.exists():
            self.key.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write(self.key, f"{secrets.token_urlsafe(32)}\n".encode())

    def read(self, path: Path) -> bytes:
        """Decrypt a file.

        Raises:
            Refused: there is no key, others can read it, or it is not the one that the file was encrypted with.
        """
        try:
            return bytes(self._library().decrypt(path.read_bytes()))
        except AnsibleVaultError:
            what = f"cannot be decrypted with {self.key}"
            raise Refused(Finding(readable(path), what, "put the key it was made with there")) from None

    def write(self, path: Path, content: bytes) -> None:
        """Encrypt into a file, whole or not at all.

        Raises:
            Refused: there is no key, or others can read it.
        """
        write(path, self._library().encrypt(content))

    def _library(self) -> VaultLib:
        if not self.key.exists():
            raise Refused(Finding(str(self.key), "no vault key", "put the key there that the secrets were made with"))
        if self.key.stat().st_mode & 0o077:
            raise Refused(Finding(str(self.key), "others can read the vault key", f"chmod 600 {self.key}"))
        return VaultLib([(_ID, VaultSecret(self.key.read_bytes().strip()))])


def write(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    handle, staged = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(handle)
        Path(staged).replace(path)
    except BaseException:
        Path(staged).unlink(missing_ok=True)
        raise
