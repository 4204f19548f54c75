"""Quick start: one provider, one prompt."""

from enhanced_real_api import create_enhanced_provider

gpt = create_enhanced_provider("gpt")
result = gpt("Write a haiku about AI", max_tokens=60)
if result["status"] == "success":
    print(result["response"])
    print(f"{result['provider_name']}/{result['model']}: ${result['cost']:.6f}, {result['response_time']:.2f} s")
else:
    print(f"No answer: {result['error']}")
