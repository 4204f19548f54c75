"""The command `oneflow`: one file a family of verbs, which imports what is heavy only when it runs."""

from oneflow_ai.cli.program import app, main

__all__ = ["app", "main"]
