"""A dashboard for the terminal: how each provider stands, and its seven figures, anew after each round of calls."""

from oneflow_ai import initialize_provider_manager

ROUNDS = 3

manager = initialize_provider_manager(use_real_api=True)
for number in range(1, ROUNDS + 1):
    manager.execute_with_fallback("text", f"Round {number}", max_tokens=10)
    manager.execute_with_fallback("text", f"Round {number}", model="claude-haiku-5-5", max_tokens=10)
    summary = manager.get_metrics_summary()
    print(f"round {number}: {summary['total_requests']} requests, {summary['overall_success_rate']} of them answered")
    for name, provider in summary["providers"].items():
        figures = provider["metrics"]
        print(
            f"  {name:12} {provider['status']:12} {figures['total_requests']:4} {figures['success_rate']:>7}"
            f" {figures['average_response_time']:>8} {figures['total_cost']:>9} {figures['last_error'] or ''}"
        )
