"""Two providers, one prompt: what each says, what it costs, how long it takes."""

from enhanced_real_api import create_enhanced_provider

PROMPT = "Explain recursion in one sentence."

for name in ("gpt", "claude"):
    result = create_enhanced_provider(name)(PROMPT, max_tokens=80)
    print(f"{name}: {result['response'] or result['error']}")
    print(f"  ${result['cost']:.6f}, {result['tokens_used']} tokens, {result['response_time']:.2f} s")
