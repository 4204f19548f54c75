// Fills in what the start page may tell: the address it was read from, and, on the same machine, what runs there.
"use strict";

const MODES = {
  demo: "demo: the built-in simulator answers for every provider, and every answer says so",
  normal: "normal: providers answer",
};
const STATES = {
  ok: "well",
  degraded: "a provider is not available, or the history lost calls: see health",
};

function tell(id, text) {
  document.getElementById(id).textContent = text;
}

async function fill() {
  for (const place of document.querySelectorAll(".origin")) {
    place.textContent = window.location.origin;
  }
  const answer = await fetch("/health");
  if (!answer.ok) {
    return;
  }
  const health = await answer.json();
  tell("version", health.version);
  tell("mode", MODES[health.mode] || health.mode);
  tell("state", STATES[health.status] || health.status);
  document.getElementById("running").hidden = false;
}

// Without an answer the page tells how to call, which is what it is for.
fill().catch(() => {});
