"""Alerts by thresholds: what all calls cost, how many are answered, how long they take, who is not available."""

from collections.abc import Iterator

from oneflow_ai import ProviderManager, initialize_provider_manager

COST_MOST_USD = 0.000001
SUCCESS_LEAST_PERCENT = 95.0
SECONDS_MOST = 5.0


def alerts(manager: ProviderManager) -> Iterator[str]:
    """What is beyond its threshold now."""
    summary = manager.get_metrics_summary()
    total_cost = float(summary["total_cost"].replace("$", ""))
    if total_cost > COST_MOST_USD:
        yield f"calls have cost ${total_cost:.4f}"
    if float(summary["overall_success_rate"].rstrip("%")) < SUCCESS_LEAST_PERCENT:
        yield f"only {summary['overall_success_rate']} of the calls were answered"
    for name, provider in summary["providers"].items():
        if provider["status"] != "available":
            yield f"{name} is {provider['status']}: {provider['metrics']['last_error']}"
        if float(provider["metrics"]["average_response_time"].rstrip("s")) > SECONDS_MOST:
            yield f"{name} takes {provider['metrics']['average_response_time']}"


manager = initialize_provider_manager(use_real_api=True)
for number in range(5):
    manager.execute_with_fallback("text", f"Tell me of the number {number}, at length.", model="claude-sonnet-5-5")
for alert in alerts(manager):
    print(f"ALERT: {alert}")
