// The register's search and status choice, applied while one types. A register of several pages asks the server instead.

const form = () => document.querySelector("[data-filter]");
const rows = () => document.querySelectorAll("[data-rows] > tr");

// As the server does it: without marks and capitals, letters that do not decompose by hand.
const BASE_LETTERS = { ł: "l", ø: "o", đ: "d", ð: "d", æ: "ae", œ: "oe", þ: "th", ß: "ss" };

function nameKey(text) {
  const plain = text.toLowerCase().normalize("NFKD").replace(/\p{M}/gu, "");
  return plain.replace(/[łøđðæœþß]/g, (letter) => BASE_LETTERS[letter]).trim();
}

// What is exported is what is shown.
function pointExport(asked) {
  for (const link of document.querySelectorAll("[data-export]")) {
    const address = new URL(link.href);
    address.search = new URLSearchParams([...new FormData(asked)].filter(([, value]) => value.trim()));
    link.href = address;
  }
}

export function filterRows() {
  const asked = form();
  if (!asked || document.querySelector("[data-register]").hasAttribute("data-paged")) return;
  const [search, state] = [nameKey(asked.elements.q.value), asked.elements.state.value];
  let shown = 0;
  for (const row of rows()) {
    row.hidden = !(row.dataset.search.includes(search) && (!state || row.dataset.state === state));
    if (!row.hidden) shown += 1;
  }
  const note = document.querySelector("[data-filter-note]");
  note.hidden = !(search || state);
  note.textContent = `${shown} of ${rows().length} students shown`;
  document.querySelector("[data-table]").hidden = shown === 0;
  document.querySelector("[data-none]").hidden = shown > 0;
  pointExport(asked);
}

// typed: what the form held before the page was read again.
export function setUpFilter(typed) {
  const asked = form();
  if (!asked || document.querySelector("[data-register]").hasAttribute("data-paged")) return;
  if (new URLSearchParams(window.location.search).size > 0) return; // narrowed by the server: rows are missing here
  if (typed) {
    asked.elements.q.value = typed.get("q") ?? "";
    asked.elements.state.value = typed.get("state") ?? "";
  }
  asked.querySelector("[data-filter-button]").hidden = true;
  asked.addEventListener("input", filterRows);
  asked.addEventListener("submit", (event) => event.preventDefault());
  document.querySelector("[data-filter-clear]")?.addEventListener("click", (event) => {
    event.preventDefault();
    asked.reset();
    asked.elements.q.value = asked.elements.state.value = "";
    filterRows();
    asked.elements.q.focus();
  });
  filterRows();
}
