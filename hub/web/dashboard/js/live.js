// What moves, as it moves: server-sent events read with fetch, because an EventSource cannot carry a token.
import { headers } from "./api.js";

const FIRST_WAIT_MS = 500;
const WAIT_MAX_MS = 30_000;
const SILENCE_MAX_MS = 40_000; // The hub beats every 15 s.
const EVENT_MAX = 65_536;

// Calls `moved()` when something moved and `told(state)` with "on", "waiting" or "off"; goes on until `stop()`.
export function follow(moved, told) {
  let over = false;
  let request = null;
  let failures = 0;
  let wake = () => {};

  async function once() {
    request = new AbortController();
    let quiet = setTimeout(() => request.abort(), SILENCE_MAX_MS);
    try {
      const answer = await fetch("/v1/live", { headers: headers({ Accept: "text/event-stream" }), signal: request.signal, cache: "no-store" });
      if (!answer.ok || !answer.body) throw new Error(`HTTP ${answer.status}`);
      told("on");
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return;
        failures = 0;
        clearTimeout(quiet);
        quiet = setTimeout(() => request.abort(), SILENCE_MAX_MS);
        text = (text + value).replaceAll("\r\n", "\n");
        let end;
        while ((end = text.indexOf("\n\n")) >= 0) {
          if (/^event: ?moved$/m.test(text.slice(0, end))) moved();
          text = text.slice(end + 2);
        }
        if (text.length > EVENT_MAX) throw new Error("an event without an end");
      }
    } finally {
      clearTimeout(quiet);
      request.abort();
    }
  }

  (async () => {
    while (!over) {
      await once().catch(() => {});
      if (over) return;
      failures += 1;
      told(failures > 3 ? "off" : "waiting");
      const wait = Math.min(WAIT_MAX_MS, FIRST_WAIT_MS * 2 ** Math.min(failures, 10)) * (0.7 + Math.random() * 0.6);
      await new Promise((go) => {
        wake = go;
        setTimeout(go, wait);
      });
    }
  })();
  return {
    nudge: () => wake(),
    stop: () => {
      over = true;
      request?.abort();
      wake();
    },
  };
}
