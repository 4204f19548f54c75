"""A batch with a progress bar (`pip install tqdm`): many prompts at once, answered in their order."""

from concurrent.futures import ThreadPoolExecutor

from tqdm import tqdm

from oneflow_ai import Result, initialize_provider_manager

PROMPTS = [f"Name one thing about the number {number}." for number in range(20)]
AT_ONCE = 8

manager = initialize_provider_manager(use_real_api=True)


def ask(prompt: str) -> Result:
    """One prompt of the batch."""
    return manager.execute_with_fallback("text", prompt, max_tokens=30)


with ThreadPoolExecutor(AT_ONCE) as pool:
    results = list(tqdm(pool.map(ask, PROMPTS), total=len(PROMPTS)))

answered = [result for result in results if result["status"] == "success"]
print(f"{len(answered)} of {len(results)} answered for ${sum(result['cost'] for result in answered):.6f}")
