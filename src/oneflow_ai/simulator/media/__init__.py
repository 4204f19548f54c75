"""Pictures and sounds made on the spot: real ones, that any decoder opens."""
