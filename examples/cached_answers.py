"""Answers from a cache: the same prompt is paid for once; a failure is not kept."""

from oneflow_ai import Result, initialize_provider_manager

manager = initialize_provider_manager(use_real_api=True)
cache: dict[str, Result] = {}


def ask(prompt: str) -> Result:
    """The answer to a prompt, from the cache if it was answered before."""
    if prompt not in cache:
        result = manager.execute_with_fallback("text", prompt, max_tokens=40)
        if result["status"] != "success":
            return result
        cache[prompt] = result
    return cache[prompt]


for prompt in ("What is HTTP?", "What is TCP?", "What is HTTP?", "What is HTTP?"):
    print(f"{prompt} {ask(prompt)['response']}")
print(f"4 questions, {manager.get_metrics_summary()['total_requests']} calls")
