"""Bring hosts onto what their roles declare: install, configure, activate (docs/architecture.md)."""

from deploy.converge.run import HostOutcome, Outcome, deploy

__all__ = ["HostOutcome", "Outcome", "deploy"]
