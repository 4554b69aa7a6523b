// What the administrator's pages do beyond plain forms; all of them work without it.
import { say } from "./texts.js";

// After a form came back with errors, the reader starts at what is wrong.
document.querySelector("[data-focus]")?.focus();

// A tab far to the right may be the current one on a phone.
const tabs = document.querySelector(".admin-tabs");
const current = tabs?.querySelector("[aria-current]");
if (current) tabs.scrollLeft = current.offsetLeft - tabs.offsetLeft - tabs.clientWidth / 2 + current.clientWidth / 2;

// What is shown once goes to the clipboard. Browsers allow it on secure pages only.
if (navigator.clipboard && window.isSecureContext) {
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const word = button.textContent;
      try {
        await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
        button.textContent = say("copied");
      } catch {
        button.textContent = say("copy it");
      }
      setTimeout(() => (button.textContent = word), 3000);
    });
  }
}

// Long work is started once, and says that it goes on.
for (const button of document.querySelectorAll("[data-busy]")) {
  button.form.addEventListener("submit", () => {
    button.disabled = true;
    button.textContent = button.dataset.busy;
  });
}

// A file that is too large is named before it is sent.
for (const input of document.querySelectorAll('input[type="file"][data-max-bytes]')) {
  const message = document.createElement("p");
  message.className = "field-error";
  message.id = `${input.id}-too-large`;
  message.setAttribute("role", "alert");
  input.after(message);
  const tooLarge = () => (input.files[0]?.size ?? 0) > Number(input.dataset.maxBytes);
  input.addEventListener("change", () => {
    const largest = Math.floor(Number(input.dataset.maxBytes) / 1e6);
    message.textContent = tooLarge() ? say("split file", { megabytes: largest }) : "";
    input.toggleAttribute("aria-invalid", tooLarge());
  });
  input.form.addEventListener("submit", (event) => {
    if (!tooLarge()) return;
    event.preventDefault();
    input.focus();
  });
}
