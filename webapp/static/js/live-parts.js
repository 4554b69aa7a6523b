// Parts of a page that change while sessions run are read again by themselves: <div data-live-part="address"
// data-again-s="5">. A page that nobody looks at waits until somebody does; without data-again-s nothing changes any more.
const TIMEOUT_MS = 8_000;
const TRY_AGAIN_S = 15;
const GONE = new Set([401, 403, 404]);

const linksOf = (part) => Array.from(part.querySelectorAll("a"), (link) => link.getAttribute("href"));

class Part {
  #place;
  #etag = null;
  #due = 0;

  constructor(place) {
    this.#place = place;
    document.addEventListener("visibilitychange", () => !document.hidden && performance.now() >= this.#due && this.#read());
    this.#wait(this.#place.dataset.againS);
  }

  #wait(seconds) {
    this.#due = Infinity;
    if (seconds === undefined) return;
    this.#due = performance.now() + Number(seconds) * 1000;
    window.setTimeout(() => !document.hidden && performance.now() >= this.#due - 50 && this.#read(), Number(seconds) * 1000);
  }

  async #read() {
    this.#due = Infinity;
    const headers = { "X-Requested-With": "fetch" };
    if (this.#etag) headers["If-None-Match"] = this.#etag;
    try {
      const answer = await fetch(this.#place.dataset.livePart, { headers, cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
      if (GONE.has(answer.status)) return; // signed out, or not one's own any more: the next click says so
      if (answer.status !== 304 && !answer.ok) throw new Error(`the part answers ${answer.status}`);
      if (answer.ok) {
        this.#etag = answer.headers.get("ETag");
        this.#show(await answer.text());
      }
      this.#wait(this.#place.dataset.againS);
    } catch {
      this.#wait(TRY_AGAIN_S); // no connection just now
    }
  }

  #show(html) {
    const page = new DOMParser().parseFromString(html, "text/html");
    const now = document.adoptNode(page.querySelector("[data-live-part]"));
    if (now.innerHTML === this.#place.innerHTML) return;
    const focused = this.#place.contains(document.activeElement) ? linksOf(this.#place).indexOf(document.activeElement.getAttribute("href")) : -1;
    const href = focused < 0 ? null : linksOf(this.#place)[focused];
    this.#place.replaceWith(now);
    this.#place = now;
    if (href) Array.from(now.querySelectorAll("a")).find((link) => link.getAttribute("href") === href)?.focus();
  }
}

for (const place of document.querySelectorAll("[data-live-part]")) new Part(place);
