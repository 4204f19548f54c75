"""The faults a provider can have, as a table of what they are and functions that play them."""
