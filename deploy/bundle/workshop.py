"""Make the bundle: resolve, download, index, sign; or see that nothing has to be done."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from deploy import paths
from deploy.bundle import index, layout, thirdparty
from deploy.bundle.apt import Apt
from deploy.bundle.base import Base
from deploy.bundle.check import verify
from deploy.bundle.hashes import digests
from deploy.bundle.key import PUBLIC, SigningKey
from deploy.bundle.lock import NAME, Archive, Lock, Package, now
from deploy.bundle.mirror import CODENAME, Mirror, discover
from deploy.bundle.source import apt_source
from deploy.errors import Finding, Refused

Progress = Callable[[str], None]
"""Is given one line per step."""


@dataclass(frozen=True)
class Bundle:
    """A bundle that is complete and signed.

    Attributes:
        directory: where it lies.
        lock: what is in it.
        changed: whether it had to be made; False if it was there already.
    """

    directory: Path
    lock: Lock
    changed: bool


def build(
    packages: Iterable[str],
    base_status: Path | None,
    *,
    mirror: Mirror | None = None,
    update: bool = False,
    progress: Progress = lambda line: None,
    directory: Path | None = None,
    key_home: Path | None = None,
    sources: Path = thirdparty.SOURCES,
) -> Bundle:
    """Make the bundle, or leave it as it is where it is what is wanted.

    With a lock for the same packages, exactly its versions are used; if more or less is wanted, or the base image is
    another, versions stay as locked where that is possible. The old bundle stays valid until the new takes its name.

    Args:
        packages: names of Debian packages; what they depend on comes with them, Recommends do not.
        base_status: dpkg status file of the hosts' base image; None for hosts that have nothing.
        mirror: where Debian comes from; by default the machine's own mirror. Asked only if something is lacking.
        update: take the mirror's versions of today instead of the lock's.
        progress: is given one line per step.
        directory: the bundle; by default `bundle` in the cache.
        key_home: the signing key; by default `bundle-key` in the configuration.
        sources: the list of third-party files.

    Raises:
        Refused: a package is unknown, a locked version can no longer be had, the mirror or a third party cannot be
            reached, or what they deliver differs.
    """
    wish = _Wish(_names(packages), Base.read(base_status), tuple(thirdparty.read(sources)))
    workshop = _Workshop(directory or paths.CACHE / "bundle", wish, mirror, progress)
    with workshop.alone():
        key = SigningKey(key_home or paths.CONFIG / "bundle-key")
        return workshop.build(key, update=update)


def _names(packages: Iterable[str]) -> tuple[str, ...]:
    names = sorted(set(packages))
    bad = [name for name in names if not NAME.fullmatch(name)]
    if bad:
        raise Refused([Finding(name, "not the name of a package", "correct it in the role") for name in bad])
    return tuple(names)


@dataclass(frozen=True)
class _Wish:
    """What the bundle shall hold."""

    packages: tuple[str, ...]
    base: Base
    sources: tuple[thirdparty.Source, ...]

    def is_answered_by(self, lock: Lock) -> bool:
        return (
            lock.wanted == self.packages
            and lock.base == self.base.digest
            and lock.architecture == self.base.architecture
            and lock.codename == CODENAME
            and self.has_files(lock.files)
        )

    def has_files(self, files: Sequence[Archive]) -> bool:
        wanted = sorted(self.sources, key=lambda source: (source.name, source.version, source.file))
        return len(wanted) == len(files) and all(map(thirdparty.Source.fits, wanted, files))

    def answer(self, packages: tuple[Package, ...], files: tuple[Archive, ...]) -> Lock:
        return Lock(now(), CODENAME, self.base.architecture, self.base.digest, self.packages, packages, files)


class _Workshop:
    """Where bundles are made: the folder beside the bundle, `<bundle>.d`.

    `store/` keeps each downloaded file, so that nothing is downloaded twice; `apt-*/` the private apt states;
    `tree-*/` the bundles themselves: a bundle is never edited, a new one is made beside it and takes its name.
    """

    def __init__(self, bundle: Path, wish: _Wish, mirror: Mirror | None, progress: Progress) -> None:
        self._bundle = bundle
        self._wish = wish
        self._mirror = mirror
        self._progress = progress
        self._work = bundle.with_name(f"{bundle.name}.d")
        self._pool = self._work / "store" / "pool"
        self._files = self._work / "store" / "files"
        self._landing = self._work / "store" / "landing"

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until no other build is under way, and remove what an interrupted one left."""
        for folder in (self._pool, self._files, self._landing):
            folder.mkdir(parents=True, exist_ok=True)
        with (self._work / "busy").open("w") as busy:
            try:
                fcntl.flock(busy, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._progress("another build of this bundle is under way: waiting for it")
                fcntl.flock(busy, fcntl.LOCK_EX)
            self._sweep()
            try:
                yield
            finally:
                self._sweep()

    def build(self, key: SigningKey, *, update: bool) -> Bundle:
        """Make the bundle, if it has to be made."""
        old = self._old_lock(forgiving=update)
        self._intact = old is not None and not verify(self._bundle, key.public)
        locked = old is not None and not update and self._wish.is_answered_by(old)
        if old and locked and self._intact:
            return Bundle(self._bundle, old, changed=False)
        self._stock(old)
        lock = old if old and locked else self._resolve(old, update=update)
        if lock == old and self._intact:
            return Bundle(self._bundle, lock, changed=False)
        self._supply(lock, locked=locked)
        self._take_name(self._assemble(lock, key))
        if update:
            self._forget_all_but(lock)
        return Bundle(self._bundle, lock, changed=True)

    def _old_lock(self, *, forgiving: bool) -> Lock | None:
        try:
            return Lock.read(self._bundle / layout.LOCK)
        except OSError:
            return None
        except Refused:
            if forgiving:
                return None
            raise

    # What is there already

    def _stock(self, old: Lock | None) -> None:
        """Put the old bundle's files into the store, whichever way it came here."""
        for package in old.packages if old else ():
            _link(self._bundle / layout.POOL / package.file, self._pool / package.file)
        for archive in old.files if old else ():
            _link(self._bundle / layout.FILES / archive.file, self._files / archive.file)

    def _missing(self, packages: Sequence[Package]) -> list[Package]:
        """Say which packages the store lacks; a file that is not what it should be is removed."""
        there = [package for package in packages if (self._pool / package.file).is_file()]
        found = digests(self._pool / package.file for package in there)
        for package in there:
            if found[self._pool / package.file] != package.sha256:
                (self._pool / package.file).unlink()
        return [package for package in packages if not (self._pool / package.file).is_file()]

    # What is wanted

    def _resolve(self, old: Lock | None, *, update: bool) -> Lock:
        packages = self._solve(None if update else old)
        files = thirdparty.fetch(self._wish.sources, self._files, self._progress)
        lock = self._wish.answer(packages, tuple(files)).dated_as(old)
        if old:
            self._progress(_difference(old, lock))
        return lock

    def _solve(self, old: Lock | None) -> tuple[Package, ...]:
        """Resolve what is wanted: from the old bundle alone if that does, else with its versions kept, else afresh."""
        if old and self._intact:
            with suppress(Refused):
                return self._solve_offline()
        self._progress(f"resolving {len(self._wish.packages)} packages")
        if old:
            with suppress(Refused):
                return self._online.resolve(self._wish.packages, keep=old.packages)
            self._progress("not possible with the locked versions: resolving all afresh")
        return self._online.resolve(self._wish.packages)

    def _solve_offline(self) -> tuple[Package, ...]:
        apt = Apt(self._work / "apt-offline", self._wish.base, self._own_source())
        apt.update()
        return apt.resolve(self._wish.packages)

    @cached_property
    def _online(self) -> Apt:
        """An apt that knows the mirror, and the old bundle for versions that the mirror no longer has."""
        sources = (self._mirror or discover()).sources()
        if self._intact:
            sources += f"\n{self._own_source()}"
        apt = Apt(self._work / "apt-online", self._wish.base, sources)
        apt.update()
        return apt

    def _own_source(self) -> str:
        return apt_source(self._bundle, self._bundle.absolute().as_uri())

    # What is lacking

    def _supply(self, lock: Lock, *, locked: bool) -> None:
        """See that the store has every file of the lock."""
        self._take_in(self._missing(lock.packages))  # what a killed build had fetched already
        if missing := self._missing(lock.packages):
            if locked:
                self._refuse_what_is_gone(missing)
            self._download(missing)
        if locked:
            thirdparty.fetch(self._wish.sources, self._files, self._progress)

    def _refuse_what_is_gone(self, missing: list[Package]) -> None:
        offers = self._online.offered(sorted({package.name for package in missing}))
        findings = []
        for package in missing:
            offered = offers.get(package.name, [])
            if (package.version, package.sha256) not in offered:
                has = f"has {offered[0][0]}" if offered else "has no version of it"
                what = f"{package} is locked, but is not in the pool, and the mirror {has}"
                findings.append(Finding(layout.LOCK, what, "take the mirror's versions: `bsw bundle build --update`"))
        if findings:
            raise Refused(findings)

    def _download(self, missing: list[Package]) -> None:
        megabytes = sum(package.size for package in missing) / 1e6
        self._progress(f"downloading {len(missing)} packages, {megabytes:.1f} MB")
        try:
            self._online.download(missing, self._landing)
        finally:
            self._take_in(missing)
        if lacking := self._missing(missing):
            raise Refused(
                [Finding(str(p), "what was downloaded is not what is locked", "run it again") for p in lacking]
            )

    def _take_in(self, expected: list[Package]) -> None:
        """Move what has landed whole into the store, known by its hash."""
        by_hash = {package.sha256: package for package in expected}
        for path, digest in digests(self._landing.glob("*.deb")).items():
            if digest in by_hash:
                path.replace(self._pool / by_hash[digest].file)

    # The bundle itself

    def _assemble(self, lock: Lock, key: SigningKey) -> Path:
        """Make a complete bundle under a name of its own."""
        self._progress(f"signing {len(lock.packages)} packages")
        tree = Path(tempfile.mkdtemp(prefix="tree-", dir=self._work))
        tree.chmod(0o755)
        (tree / layout.POOL).mkdir(parents=True)
        (tree / layout.FILES).mkdir()
        for package in lock.packages:
            _link(self._pool / package.file, tree / layout.POOL / package.file)
        for archive in lock.files:
            _link(self._files / archive.file, tree / layout.FILES / archive.file)
        (tree / layout.LOCK).write_text(lock.text())
        (tree / PUBLIC).write_text(key.public)
        _write_indexes(tree, lock, key)
        return tree

    def _take_name(self, tree: Path) -> None:
        """Give the new bundle the old one's name, in one step."""
        if self._bundle.is_dir() and not self._bundle.is_symlink():  # one that was carried here
            self._bundle.rename(self._work / f"tree-carried-{tree.name}")
        link = self._work / "next"
        link.unlink(missing_ok=True)
        link.symlink_to(Path(self._work.name) / tree.name)
        link.replace(self._bundle)

    def _sweep(self) -> None:
        """Remove every tree that is not the bundle."""
        current = self._bundle.resolve()
        for tree in self._work.glob("tree-*"):
            if tree.resolve() != current:
                shutil.rmtree(tree)

    def _forget_all_but(self, lock: Lock) -> None:
        names = {package.file for package in lock.packages} | {archive.file for archive in lock.files}
        for path in (*self._pool.iterdir(), *self._files.iterdir()):
            if path.name not in names:
                path.unlink()


def _write_indexes(tree: Path, lock: Lock, key: SigningKey) -> None:
    packages = index.packages(index.controls(tree / layout.POOL, lock.packages)).encode()
    path = tree / layout.index(lock.architecture)
    path.parent.mkdir(parents=True)
    path.write_bytes(packages)
    release = index.release(lock, {index.packages_path(lock.architecture): packages}, key.public.encode())
    (tree / layout.RELEASE).write_bytes(key.sign(release, lock.when))


def _link(origin: Path, target: Path) -> None:
    """Give a file a second name; where the file system cannot, a copy."""
    try:
        target.hardlink_to(origin)
    except (FileExistsError, FileNotFoundError):
        return
    except OSError:
        shutil.copyfile(origin, target)


def _difference(old: Lock, new: Lock) -> str:
    """Say in one line what became of the locked versions."""
    before = {(p.name, p.architecture): p.version for p in old.packages}
    after = {(p.name, p.architecture): p.version for p in new.packages}
    both = before.keys() & after.keys()
    moved = sorted(f"{key[0]} {before[key]} -> {after[key]}" for key in both if before[key] != after[key])
    counts = f"{len(both) - len(moved)} as locked, {len(after.keys() - both)} new, {len(before.keys() - both)} gone"
    return counts + (f", {len(moved)} moved: {', '.join(moved)}" if moved else "")
