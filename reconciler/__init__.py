"""GitOps for Turbot Pipes: `reconciler.cli` is the command."""

__version__ = "0.1.0"
