"""Remedies that several checks share."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that is most like a given one; empty when none is like it."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)), "")


def choose(word: object, known: Iterable[str], otherwise: str = "") -> str:
    """A remedy for a word that is not known: the nearest one, else what was given, else all that there are."""
    words = list(known)
    near = nearest(str(word), words)
    return f"did you mean {near!r}?" if near else otherwise or f"choose one of {', '.join(words)}"
