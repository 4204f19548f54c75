"""What OneFlow costs a request, beside nginx on the same machine; docs/benchmarks.md tells how to read it."""
