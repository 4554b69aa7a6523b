// What every page has: the account menu closes by itself, messages can be shown without a reload.
import { say } from "./texts.js";

for (const menu of document.querySelectorAll("[data-menu]")) {
  document.addEventListener("click", (event) => {
    if (menu.open && !menu.contains(event.target)) menu.open = false;
  });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !menu.open) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
}

// The choice of language and colours counts at once.
for (const form of document.querySelectorAll("[data-preference]")) {
  form.querySelector("button").hidden = true;
  form.addEventListener("change", () => form.requestSubmit());
}

// <form data-confirm="Question?"> asks before it sends.
document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !window.confirm(question)) event.preventDefault();
});

// <input type="file" data-max-bytes="5000000"> says at once what the server would say after the upload.
const MEGABYTE = 1_000_000;

document.addEventListener("change", ({ target }) => {
  if (!target.dataset.maxBytes) return;
  const limit = Number(target.dataset.maxBytes);
  const field = target.closest(".field");
  field.querySelector("[data-too-large]")?.remove();
  if (Array.from(target.files).every((file) => file.size <= limit)) return;
  const message = document.createElement("p");
  message.className = "field-error";
  message.dataset.tooLarge = "";
  message.setAttribute("role", "alert");
  message.textContent = say("large file", { megabytes: limit / MEGABYTE });
  field.append(message);
});

document.addEventListener("submit", (event) => {
  if (event.target.querySelector("[data-too-large]")) event.preventDefault();
});

// <form data-tidy>: an unused field does not go into the address.
document.addEventListener("formdata", ({ target, formData }) => {
  if (!target.hasAttribute("data-tidy")) return;
  for (const [name, value] of Array.from(formData.entries())) if (!value) formData.delete(name);
});

// <button data-print hidden>: shown where a script can print.
for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}
