"""The provider manager: chains to fall back along, for text, pictures and speech, and what each provider did."""

from pathlib import Path
from tempfile import mkdtemp

from provider_manager import initialize_provider_manager

manager = initialize_provider_manager(use_real_api=True)
manager.set_fallback_chain("text", ["gpt", "claude"])

text = manager.execute_with_fallback("text", "What is a gateway? One sentence.", max_tokens=60)
print(f"text by {text['provider_name']}, tried {', '.join(text['attempted_providers'])}: {text['response']}")

folder = Path(mkdtemp(prefix="oneflow-"))
for task, prompt, name in (
    ("image", "A lighthouse at dusk", "lighthouse.png"),
    ("speech", "Good evening", "evening.mp3"),
):
    result = manager.execute_with_fallback(task, prompt)
    if result["data"] is None:
        print(f"{task}: {result['error']}")
    else:
        (folder / name).write_bytes(result["data"])
        print(f"{task} by {result['provider_name']}: {folder / name}, {result['media_type']}, ${result['cost']:.4f}")

best = manager.get_best_provider("text")
if best is not None:
    print(f"best for text: {best}, since it has {best.why}")
for provider, status in manager.get_all_providers_status().items():
    print(provider, status["status"], status["metrics"])
