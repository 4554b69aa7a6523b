// A short message that goes by itself; screen readers read it, because its place is a live region.

const SHOWN_MS = 6_000;

export function toast(text) {
  const message = document.createElement("div");
  message.className = "toast";
  message.textContent = text;
  document.querySelector("[data-toasts]").append(message);
  window.setTimeout(() => message.remove(), SHOWN_MS);
}
