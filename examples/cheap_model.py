"""A cheap model for easy questions, a dear one for hard ones; the others of the chain stand by with their own."""

from oneflow_ai import initialize_provider_manager

EASY, HARD = "gpt-6-luna", "claude-sonnet-5-5"

manager = initialize_provider_manager(use_real_api=True)
for prompt in ("What is 2 + 2?", "Prove that there are infinitely many primes, step by step, for a student of law."):
    model = EASY if len(prompt) < 40 else HARD
    result = manager.execute_with_fallback("text", prompt, model=model, max_tokens=60)
    print(f"{result['model']}: ${result['cost']:.6f} {result['response'] or result['error']}")
