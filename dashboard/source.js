// Where the page gets its data: the JSON API, and the stream that says when to ask again.
// It knows nothing of how things are shown.

const RESOURCES = ["overview", "services", "announcements", "routes", "members", "diagnostics", "events",
  "requests", "endpoints"];
const RETRY_FIRST = 500;
const RETRY_MOST = 8000;
const BETWEEN_LOADS = 300;
// The server sends something at least every 15 seconds.
const SILENCE = 40000;

/** The token is kept for this tab only; storage may be forbidden. */
const token = {
  value: "",
  get() {
    try { return sessionStorage.getItem("steelyard-token") ?? this.value; } catch { return this.value; }
  },
  set(value) {
    this.value = value;
    try { sessionStorage.setItem("steelyard-token", value); } catch { /* kept above */ }
  },
};

class Unauthorized extends Error {}

/**
 * Follows the instance for ever. `on.data(world)` gets everything each time something changed,
 * `on.state(text)` is "live" or "offline", `on.login()` says that the token is missing or wrong.
 */
export function follow(on) {
  const loader = new Loader(on);
  let retry = RETRY_FIRST;
  const run = async () => {
    for (;;) {
      const used = token.get();
      try {
        await listen(() => { retry = RETRY_FIRST; on.state("live"); loader.wish(); });
      } catch (error) {
        if (error instanceof Unauthorized) {
          on.login();
          if (used === token.get()) await loader.authorized(); // else there is another to try
          continue;
        }
      }
      on.state("offline");
      await sleep(retry * (0.75 + Math.random() / 2));
      retry = Math.min(retry * 2, RETRY_MOST);
    }
  };
  run();
  return {
    login(value) { token.set(value); loader.authorize(); },
    /** Asks for one resource alone; `on.part(name, value)` gets it. */
    async again(name) {
      const answer = await ask(name).then((it) => it.json()).catch(() => null);
      if (answer) on.part(name, answer);
    },
  };
}

/** Loads when wished for, but not more often than is of use. */
class Loader {
  #on;
  #busy = false;
  #again = false;
  #authorize = () => {};

  constructor(on) { this.#on = on; }

  authorized() { return new Promise((resolve) => { this.#authorize = resolve; }); }

  authorize() { this.#authorize(); }

  async wish() {
    this.#again = true;
    if (this.#busy) return;
    this.#busy = true;
    while (this.#again) {
      this.#again = false;
      const world = await load().catch(() => null); // the stream notices, too
      if (world) this.#on.data(world);
      await sleep(BETWEEN_LOADS);
    }
    this.#busy = false;
  }
}

async function load() {
  const bodies = await Promise.all(RESOURCES.map((name) => ask(name).then((answer) => answer.text())));
  return Object.fromEntries(RESOURCES.map((name, index) => [name, JSON.parse(bodies[index])]));
}

async function ask(name, signal) {
  const headers = token.get() ? { Authorization: `Bearer ${token.get()}` } : {};
  const answer = await fetch(`api/v1/${name}`, { headers, signal, cache: "no-store" });
  if (answer.status === 401) throw new Unauthorized();
  if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
  return answer;
}

/** Reads the event stream until it ends; fetch and not EventSource, which cannot send a token. */
async function listen(published) {
  const abort = new AbortController();
  let watchdog = setTimeout(() => abort.abort(), SILENCE);
  try {
    const answer = await ask("stream", abort.signal);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = ""; ;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(watchdog);
      watchdog = setTimeout(() => abort.abort(), SILENCE);
      const events = (rest + value).split("\n\n");
      rest = events.pop();
      if (events.some((event) => event.startsWith("event: publish"))) published();
    }
  } finally {
    clearTimeout(watchdog);
  }
}

function sleep(milliseconds) {
  return new Promise((resolve) => { setTimeout(resolve, milliseconds); });
}
