"""What OneFlow tells of its work: records of calls on their way to the store, metrics and logs."""
