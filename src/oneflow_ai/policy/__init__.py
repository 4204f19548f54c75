"""Decisions, pure: time, chance and state come in as arguments."""
