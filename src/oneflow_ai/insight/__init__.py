"""Readers of what happened: they count, rank and report, and change nothing."""
