// Several entries changed at once: says how many rows are chosen, and sends what is shown when all of that is meant.
import { say } from "./texts.js";

const boxes = () => Array.from(document.querySelectorAll("[data-rows] input[name=chosen]"));
const visible = (box) => !box.closest("tr").hidden;

export function countChosen() {
  const bulk = document.querySelector("[data-bulk]");
  if (!bulk) return;
  const chosen = boxes().filter((box) => box.checked).length;
  bulk.querySelector("[data-bulk-count]").textContent = chosen ? say("chosen", { count: chosen }) : "";
}

export function setUpBulk() {
  document.addEventListener("change", (event) => {
    if (event.target.name !== "chosen") return;
    countChosen();
  });
  document.addEventListener("toggle", ({ target }) => {
    if (target.matches?.("[data-bulk][open]")) target.scrollIntoView({ block: "nearest" });
  }, true); // it does not bubble
  document.addEventListener("submit", (event) => {
    if (event.target.id !== "bulk") return;
    // Rows change while one watches and are narrowed while one types. A register of several pages knows its own rows.
    if (document.querySelector("[data-register]").hasAttribute("data-paged")) return;
    event.target.elements.shown.value = boxes().filter(visible).map((box) => box.value).join(" ");
  });
}
