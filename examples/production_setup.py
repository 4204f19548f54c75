"""A production set-up: real providers, a chain, a deadline for each call, and every request on record by user."""

from oneflow_ai import Database, Result, initialize_provider_manager

manager = initialize_provider_manager(use_real_api=True)
manager.set_fallback_chain("text", ["openai", "anthropic"])
database = Database()


def answer(user_id: str, prompt: str) -> Result:
    """Answer a user's prompt and keep what came of it."""
    result = manager.execute_with_fallback("text", prompt, max_tokens=100, timeout_seconds=30)
    database.create_request(
        user_id=user_id,
        provider=result["provider_name"],
        model=result["model"],
        prompt=prompt,
        response=result["response"],
        cost=result["cost"],
        status=result["status"],
        metadata={"seconds": round(result["response_time"], 3), "tokens": result["tokens_used"]},
    )
    return result


for user, question in (("ada", "What is a compiler?"), ("ada", "What is a linker?"), ("grace", "What is a bug?")):
    print(f"{user}: {answer(user, question)['status']}")

print(f"ada has cost ${database.get_total_cost('ada'):.6f} of ${database.get_total_cost():.6f}")
for row in database.get_requests(user_id="ada", limit=10):
    print(row["created_at"], row["provider"], row["status"], row["prompt"])
print(database.get_provider_stats())
