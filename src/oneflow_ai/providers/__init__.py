"""Providers as pure functions: requests out, bytes in, events back; no client, no clock, no log, no retry."""
