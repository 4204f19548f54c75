"""The main integration: calls by short names, paid from a balance, within budgets."""

from oneflow_ai import OneFlowAI

flow = OneFlowAI(initial_balance=100, use_real_api=True)
flow.setup_budget(daily=10, weekly=50, monthly=150)
flow.setup_provider_budget("gpt", 20)

for model, prompt in (
    ("gpt", "Write a haiku about the sea"),
    ("claude", "Write a haiku about the wind"),
    ("image", "A lighthouse at dusk"),
    ("audio", "Good evening"),
):
    result = flow.process_request(model, prompt)
    said = result["response"] if result["data"] is None else f"{len(result['data'])} bytes of {result['media_type']}"
    print(f"{model}: {said if result['status'] == 'success' else result['error']}")
    print(f"  ${result['cost']:.6f}, {result['balance']:.6f} credits left")

status = flow.get_status()
print(f"spent ${status['spent']:.6f}, of the daily budget {status['budgets']['daily']['remaining']:.6f} left")
