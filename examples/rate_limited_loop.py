"""A hundred calls in a loop: the manager waits where a provider's minute is full, so that none is refused."""

from time import monotonic

from oneflow_ai import initialize_provider_manager

CALLS = 100

manager = initialize_provider_manager(use_real_api=True)
began = monotonic()
statuses = [manager.execute_with_fallback("text", f"Say {number}", max_tokens=5)["status"] for number in range(CALLS)]
print(f"{statuses.count('success')} of {CALLS} answered in {monotonic() - began:.1f} s")
