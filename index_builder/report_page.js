// Shows the photos of one outcome, and the students whose number holds what is typed.
"use strict";
const buttons = [...document.querySelectorAll("[data-filter]")];
const search = document.querySelector("input[type=search]");
const cards = [...document.querySelectorAll("[data-student]")];
const none = document.querySelector("#nothing");
let outcome = "";

function show() {
  const wanted = search.value.trim().toLowerCase();
  let shown = 0;
  for (const card of cards) {
    let photos = 0;
    for (const photo of card.querySelectorAll("[data-outcome]")) {
      photo.hidden = outcome !== "" && photo.dataset.outcome !== outcome;
      photos += photo.hidden ? 0 : 1;
    }
    const named = card.dataset.student.toLowerCase().includes(wanted);
    card.hidden = !named || (outcome !== "" && photos === 0);
    shown += card.hidden ? 0 : 1;
  }
  none.hidden = shown > 0;
}

for (const button of buttons) {
  button.addEventListener("click", () => {
    outcome = button.dataset.filter;
    for (const other of buttons) {
      other.setAttribute("aria-pressed", String(other === button));
    }
    show();
  });
}
search.addEventListener("input", show);
