// Watches a register: server-sent events; where they do not get through, the page is read again every few seconds.
// The server speaks every 1.5 seconds. A silence of four says that the connection is lost, whatever the reason: a server
// that is stopped keeps its connections open, and so does a network that is gone.
import { say } from "./texts.js";

const POLL_MS = 10_000;
const TRY_STREAM_AGAIN_MS = 60_000;
const HIDDEN_MS = 30_000;
const LOST_MS = 4_000;
const LOOK_MS = 500;
const TRY_LOST_AGAIN_MS = 10_000;

export class Watcher {
  #options;
  #source = null;
  #timers = new Set();
  #stopped = false;
  #heard = 0;
  #opened = 0;
  #at;

  // options: address, readAt: when the page was read, revision() of what is shown, onRows(data, revision), onWatch(html),
  // onStale(), which reads the page again and says when, onState(kind, text).
  constructor(options) {
    this.#options = options;
    this.#at = options.readAt;
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
    this.#opened = performance.now();
    if (!this.#heard) this.#heard = this.#opened;
    source.addEventListener("open", () => this.#hear(this.#at));
    source.addEventListener("beat", (event) => this.#hear(JSON.parse(event.data).at));
    source.addEventListener("rows", (event) => {
      const data = JSON.parse(event.data);
      this.#options.onRows(data, event.lastEventId);
      this.#hear(data.at);
    });
    source.addEventListener("watch", (event) => this.#options.onWatch(JSON.parse(event.data).html));
    source.addEventListener("stale", () => this.#readAgain());
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) this.#fallBack();
    });
    this.#listen();
  }

  #hear(at) {
    this.#heard = performance.now();
    this.#at = at;
    this.#options.onState("live", say("live", { at }));
  }

  #listen() {
    this.#later(LOOK_MS, () => {
      const now = performance.now();
      if (now - this.#heard > LOST_MS) this.#lose();
      if (now - Math.max(this.#heard, this.#opened) > TRY_LOST_AGAIN_MS) this.#open();
      else this.#listen();
    });
  }

  #lose() {
    this.#options.onState("lost", say("lost", { at: this.#at }));
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
    if (performance.now() - this.#heard > LOST_MS + POLL_MS) this.#lose();
    else this.#options.onState("waiting", say("polling", { at: this.#at }));
  }

  async #readAgain() {
    try {
      this.#at = await this.#options.onStale();
      this.#heard = performance.now();
    } catch {
      this.#lose();
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
