// The register: rows change while one watches, the search narrows at once, entries are corrected in a dialog.
// Without this script the same page works by reloading, and the same form stands on a page of its own.
import { say } from "./texts.js";
import { Watcher } from "./live.js";
import { countChosen, setUpBulk } from "./register-bulk.js";
import { filterRows, isNarrowed, setUpFilter, wholeAddress } from "./register-filter.js";
import { setUpCorrections } from "./register-correct.js";

const LATER_THAN_A_DAY_MS = 24 * 60 * 60 * 1000;
const SAID_AT_ONCE = 3;
const READ_LIMIT_MS = 4000;
const TRY_AGAIN_MS = 2000;
const LONGEST_WAIT_MS = 60_000;
const announcer = () => document.querySelector("[data-announce]");

function rowFromHtml(html) {
  const template = document.createElement("template");
  template.innerHTML = html.trim();
  return template.content.firstElementChild;
}

function replaceRow(html, { fresh = true } = {}) {
  const row = rowFromHtml(html);
  const old = document.getElementById(row.id);
  if (!old) return; // on another page of a long register
  const hadFocus = old.contains(document.activeElement);
  const [box, oldBox] = [row, old].map((one) => one.querySelector("input[name=chosen]"));
  box.checked = oldBox.checked;
  const hadFocusOnBox = oldBox === document.activeElement;
  old.replaceWith(row);
  if (fresh) row.classList.add("row-fresh");
  if (hadFocusOnBox) box.focus();
  else if (hadFocus) row.querySelector("[data-correct]")?.focus();
}

function showCounts(counts) {
  for (const place of document.querySelectorAll("[data-count]")) place.textContent = counts[place.dataset.count] ?? 0;
}

function announce(sayings) {
  const said = sayings.filter(Boolean);
  if (!said.length) return;
  announcer().textContent = said.length > SAID_AT_ONCE ? say("changed", { count: said.length }) : said.join(". ");
}

// Puts the page as it is now in place of the page as it was; rows that are the same stay untouched.
async function readPageAgain() {
  const answer = await fetch(wholeAddress(), { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(READ_LIMIT_MS) });
  if (answer.redirected || !answer.ok) throw new Error(`the page answers ${answer.status}`);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const [now, was] = [page.querySelector("[data-register]"), document.querySelector("[data-register]")];
  const sameShape = now.dataset.phase === was.dataset.phase && rowIds(now) === rowIds(was);
  if (!sameShape) {
    const filter = document.querySelector("[data-filter]");
    const typed = filter ? new FormData(filter) : null;
    const typing = filter?.contains(document.activeElement) ? document.activeElement.name : null;
    was.replaceWith(document.adoptNode(now));
    start(typed, { whole: true });
    if (typing) document.querySelector("[data-filter]")?.elements[typing]?.focus();
    return now.dataset.readAt;
  }
  was.dataset.revision = now.dataset.revision;
  if (now.dataset.opensIn) was.dataset.opensIn = now.dataset.opensIn;
  const sayings = [];
  for (const row of now.querySelectorAll("[data-rows] > tr")) {
    const old = document.getElementById(row.id);
    if (old.dataset.version === row.dataset.version) continue;
    if (old.dataset.state !== row.dataset.state) sayings.push(sayingOf(row));
    replaceRow(row.outerHTML);
  }
  const places = Array.from(now.querySelectorAll("[data-count]"));
  showCounts(Object.fromEntries(places.map((place) => [place.dataset.count, place.textContent])));
  showWatch(now.querySelector("[data-watch]")?.innerHTML ?? "");
  showHeld(now.querySelector("[data-held]"), sayings);
  announce(sayings);
  filterRows();
  return now.dataset.readAt;
}

// Reads the page again until it is read: nothing else would bring what it is read for. Less and less often.
async function readUntilRead() {
  const register = document.querySelector("[data-register]");
  for (let wait = TRY_AGAIN_MS; document.querySelector("[data-register]") === register; wait = Math.min(2 * wait, LONGEST_WAIT_MS)) {
    try {
      await readPageAgain();
      return;
    } catch {
      await new Promise((resume) => window.setTimeout(resume, wait));
    }
  }
}

// What is shown of the cameras; a table that is open stays open, and what is wrong is said when it begins.
function showWatch(html) {
  const place = document.querySelector("[data-watch]");
  if (!place) return;
  const open = place.querySelector("details")?.open;
  const troubles = () => Array.from(place.querySelectorAll(".notice"), (notice) => notice.textContent.trim());
  const before = troubles();
  const template = document.createElement("template");
  template.innerHTML = html.trim();
  place.replaceChildren(template.content);
  const table = place.querySelector("details");
  if (table && open) table.open = true;
  announce(troubles().filter((text) => !before.includes(text)));
}

// What is held for a person's word; what is open stays open, what is typed stays, and the focus stays on its button.
function showHeld(now, sayings) {
  const place = document.querySelector("[data-held]");
  if (!place || !now || place.innerHTML === now.innerHTML) return;
  const count = (part) => part.querySelector("h2")?.textContent.trim() ?? "";
  const keyOf = (form) => Array.from(form.querySelectorAll("[name=sighting], [name=minutes]"), (one) => `${one.name}${one.value}`).join();
  const forms = new Map(Array.from(place.querySelectorAll("form"), (form) => [keyOf(form), form]));
  const open = new Set(Array.from(place.querySelectorAll("details[open][data-held-key]"), (one) => one.dataset.heldKey));
  const focused = place.contains(document.activeElement) ? document.activeElement : null;
  if (count(now) && count(now) !== count(place)) sayings.push(count(now));
  const fresh = document.adoptNode(now);
  for (const one of fresh.querySelectorAll("details[data-held-key]")) one.open = open.has(one.dataset.heldKey);
  for (const form of fresh.querySelectorAll("form")) {
    const old = forms.get(keyOf(form));
    if (old) form.replaceWith(old); // with what is typed in it
  }
  place.replaceChildren(...fresh.childNodes);
  if (focused && place.contains(focused)) focused.focus();
}

const rowIds = (page) => Array.from(page.querySelectorAll("[data-rows] > tr"), (row) => row.id).join();
const sayingOf = (row) => `${row.querySelector("th a").textContent}: ${row.querySelector(".chip").textContent.trim()}`;

function showState(kind, text) {
  const place = document.querySelector("[data-live-state]");
  if (!place) return;
  place.hidden = false;
  if (place.dataset.kind !== kind && [place.dataset.kind, kind].includes("lost")) announcer().textContent = text;
  place.dataset.kind = kind;
  place.querySelector("[data-live-text]").textContent = text;
}

let watcher = null;

function start(typed = null, { whole = false } = {}) {
  const register = document.querySelector("[data-register]");
  watcher?.stop();
  watcher = null;
  if (isNarrowed() && !whole) readUntilRead().then(setUpFilter); // until then the server's rows are shown
  else setUpFilter(typed);
  countChosen();
  if (register.dataset.live) {
    watcher = new Watcher({
      address: register.dataset.live,
      readAt: register.dataset.readAt,
      revision: () => document.querySelector("[data-register]").dataset.revision,
      onRows({ rows, counts }, revision) {
        register.dataset.revision = revision;
        for (const { html } of rows) replaceRow(html);
        showCounts(counts);
        announce(rows.map((row) => row.say));
        filterRows();
      },
      onWatch: showWatch,
      onStale: readPageAgain,
      onState: showState,
    });
    watcher.start();
  } else if (register.dataset.opensIn) {
    waitForOpening(register);
  }
}

// By the server's clock: the browser's may be wrong.
function waitForOpening(register) {
  const wait = 1000 * register.dataset.opensIn;
  if (wait > LATER_THAN_A_DAY_MS) return;
  window.setTimeout(async () => {
    await readUntilRead();
    if (document.querySelector("[data-register]") === register) waitForOpening(register); // it has not begun yet
  }, Math.max(wait, 0) + 1000);
}

if (document.querySelector("[data-register]")) {
  start();
  setUpBulk();
  setUpCorrections(({ id, html, counts }) => {
    if (html) replaceRow(html);
    else document.getElementById(`student-${id}`)?.remove(); // on the register only because of the entry that is gone
    showCounts(counts);
    filterRows();
    // Nobody is asked any more about an entry that a person has decided; a closed register hears of it by no stream.
    if (document.querySelector("[data-held] section")) readUntilRead();
  });
}
