"""The data plane: one call from admission to its record."""
