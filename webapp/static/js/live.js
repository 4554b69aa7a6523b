// Watches a register: server-sent events; where they do not get through, the page is read again every few seconds.

const POLL_MS = 10_000;
const TRY_STREAM_AGAIN_MS = 60_000;
const HIDDEN_MS = 30_000;

export class Watcher {
  #options;
  #source = null;
  #timers = new Set();
  #stopped = false;

  // options: address, revision() of what is shown, onRows(data, revision), onStale(), onState(kind, text).
  constructor(options) {
    this.#options = options;
  }

  start() {
    document.addEventListener("visibilitychange", this.#visibilityChanged);
    this.#open();
  }

  stop() {
    this.#stopped = true;
    document.removeEventListener("visibilitychange", this.#visibilityChanged);
    this.#pause();
  }

  // A page in the background gives its place to others, and catches up when it is looked at again.
  #visibilityChanged = () => {
    if (document.hidden) this.#later(HIDDEN_MS, () => document.hidden && this.#pause());
    else if (!this.#source) this.#open();
  };

  #open() {
    this.#pause();
    const revision = encodeURIComponent(this.#options.revision());
    const source = new EventSource(`${this.#options.address}?revision=${revision}`);
    this.#source = source;
    source.addEventListener("open", () => this.#options.onState("live", "Live"));
    source.addEventListener("rows", (event) => this.#options.onRows(JSON.parse(event.data), event.lastEventId));
    source.addEventListener("stale", () => this.#readAgain());
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) this.#fallBack();
    });
  }

  #pause() {
    this.#source?.close();
    this.#source = null;
    for (const timer of this.#timers) window.clearTimeout(timer);
    this.#timers.clear();
  }

  #fallBack() {
    this.#pause();
    this.#poll();
    this.#later(TRY_STREAM_AGAIN_MS, () => this.#open());
  }

  #poll() {
    this.#later(POLL_MS, async () => {
      await this.#readAgain();
      this.#poll();
    });
    this.#options.onState("waiting", "Updates every 10 seconds");
  }

  async #readAgain() {
    try {
      await this.#options.onStale();
    } catch {
      this.#options.onState("waiting", "No connection; trying again");
    }
  }

  #later(delay, work) {
    if (this.#stopped) return;
    const timer = window.setTimeout(() => {
      this.#timers.delete(timer);
      if (!this.#stopped) work();
    }, delay);
    this.#timers.add(timer);
  }
}
