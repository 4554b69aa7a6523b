// The register's search and status choice, applied while one types. A register of several pages asks the server instead.
import { say } from "./texts.js";

const form = () => document.querySelector("[data-filter]");
const rows = () => document.querySelectorAll("[data-rows] > tr");

// As the server does it: without marks and capitals, letters that do not decompose by hand.
const BASE_LETTERS = { ł: "l", ø: "o", đ: "d", ð: "d", æ: "ae", œ: "oe", þ: "th", ß: "ss" };

function nameKey(text) {
  const plain = text.toLowerCase().normalize("NFKD").replace(/\p{M}/gu, "");
  return plain.replace(/[łøđðæœþß]/g, (letter) => BASE_LETTERS[letter]).trim();
}

const register = () => document.querySelector("[data-register]");
const paged = () => register().hasAttribute("data-paged");
// In place of a state: what a row is marked with.
const FLAGS = { disputed: "disputed", held: "asked" };
const FIELDS = ["q", "state"];

function parameters(asked) {
  return new URLSearchParams([...new FormData(asked)].filter(([, value]) => value.trim()));
}

// Where the page has every row, whatever the filter; one of several pages has its own.
export const wholeAddress = () => (paged() ? window.location.href : register().dataset.page);

// What is exported, changed together, bookmarked or read again is what is shown.
function pointTo(asked) {
  const search = parameters(asked);
  for (const link of document.querySelectorAll("[data-export]")) {
    const address = new URL(link.href);
    address.search = search;
    link.href = address;
  }
  const bulk = document.getElementById("bulk");
  if (bulk) bulk.action = Object.assign(new URL(bulk.action), { search });
  const address = Object.assign(new URL(window.location), { search });
  if (address.pathname === register().dataset.page && address.href !== window.location.href) window.history.replaceState(window.history.state, "", address);
}

// A tile with a number is the filter that it looks like; pressed again, it shows everybody.
function markTiles(state) {
  for (const tile of document.querySelectorAll("[data-tile]")) {
    const chosen = tile.dataset.tile === state;
    tile.closest(".stat").classList.toggle("stat-chosen", chosen);
    if (chosen) tile.setAttribute("aria-current", "true");
    else tile.removeAttribute("aria-current");
  }
}

function pressTile(event, asked) {
  const tile = event.target.closest("[data-tile]");
  if (!tile || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const choice = asked.elements.state;
  const key = choice.value === tile.dataset.tile ? "" : tile.dataset.tile;
  choice.value = key;
  if (choice.value !== key) return; // it came after the page was read; the link leads there
  event.preventDefault();
  choice.dispatchEvent(new Event("input", { bubbles: true }));
}

export function filterRows() {
  const asked = form();
  if (!asked || paged()) return;
  const [search, state] = [nameKey(asked.elements.q.value), asked.elements.state.value];
  let shown = 0;
  for (const row of rows()) {
    row.hidden = !(row.dataset.search.includes(search) && (!state || (FLAGS[state] ? FLAGS[state] in row.dataset : [row.dataset.state, row.dataset.key].includes(state))));
    if (!row.hidden) shown += 1;
  }
  const note = document.querySelector("[data-filter-note]");
  note.hidden = !(search || state);
  note.textContent = say("shown", { shown, all: rows().length });
  document.querySelector("[data-table]").hidden = shown === 0;
  document.querySelector("[data-none]").hidden = shown > 0;
  pointTo(asked);
  markTiles(state);
}

// Whether the server has left rows out, as the address asked it to.
export function isNarrowed() {
  const asked = new URLSearchParams(window.location.search);
  const here = window.location.pathname === register().dataset.page; // not the answer to a form
  return here && !paged() && FIELDS.some((name) => asked.get(name)?.trim());
}

// The filter works here at once, on all rows of the page. typed: what the form held before the page was read again.
export function setUpFilter(typed) {
  const asked = form();
  if (!asked || paged() || asked.hasAttribute("data-ready")) return;
  asked.setAttribute("data-ready", "");
  for (const name of FIELDS) if (typed instanceof FormData) asked.elements[name].value = typed.get(name) ?? "";
  asked.querySelector("[data-filter-button]").hidden = true;
  asked.addEventListener("input", (event) => (event.target.matches("[data-sort]") ? asked.submit() : filterRows()));
  asked.addEventListener("submit", (event) => event.preventDefault());
  document.querySelector("[data-counts]").addEventListener("click", (event) => pressTile(event, asked));
  document.querySelector("[data-filter-clear]")?.addEventListener("click", (event) => {
    event.preventDefault();
    for (const name of FIELDS) asked.elements[name].value = "";
    filterRows();
    asked.elements.q.focus();
  });
  filterRows();
}

// A browser that comes back may have filled the form in by itself, after this script has run.
window.addEventListener("pageshow", ({ persisted }) => persisted && filterRows());
