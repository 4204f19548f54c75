"""The providers' wires: one file each turns a request into an answer, in that provider's own shape."""
