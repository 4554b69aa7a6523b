// Correcting an entry in a dialog over the register; the link behind it leads to the same form on its own page.
import { say } from "./texts.js";
import { toast } from "./toast.js";

const FETCH = { "X-Requested-With": "fetch" };

// onSaved({id, html, counts}) puts the new row in place; html is null where there is none any more.
export function setUpCorrections(onSaved) {
  const dialog = document.querySelector("[data-dialog]");
  let opener = null;
  let pressed = false;

  async function open(link) {
    opener = { link, row: link.closest("tr")?.id }; // names in the list of what is held stand in no row
    const answer = await fetch(link.href, { headers: FETCH });
    if (!answer.ok) throw new Error(`the form answers ${answer.status}`);
    fill(await answer.text());
    dialog.showModal();
    dialog.querySelector("[data-entry-form] input:checked, [data-entry-form] input[type=radio]").focus();
  }

  function fill(html) {
    const page = new DOMParser().parseFromString(html, "text/html");
    dialog.replaceChildren(document.adoptNode(page.querySelector("[data-entry]")));
  }

  // Inside the dialog: what lies behind it cannot be read while it is open.
  function complain(form, sentence) {
    const notice = form.querySelector("[role=alert]") ?? document.createElement("p");
    notice.className = "notice notice-error";
    notice.setAttribute("role", "alert");
    notice.textContent = sentence;
    form.prepend(notice);
  }

  async function save(form) {
    const button = form.querySelector("[type=submit]");
    button.disabled = true;
    try {
      const answer = await fetch(form.action, { method: "POST", body: new FormData(form), headers: FETCH });
      if (answer.status === 422 || answer.status === 409) {
        fill(await answer.text());
        // Wrong fields come first; in a conflict, what somebody else did is above everything.
        const wrong = dialog.querySelector("[aria-invalid=true], .field-wrong input");
        (wrong ?? dialog.querySelector("#entry-title")).focus();
        return;
      }
      const data = await answer.json();
      if (!answer.ok) {
        complain(form, data.error);
        return;
      }
      dialog.close();
      onSaved(data);
      toast(data.message);
    } catch {
      complain(form, say("not saved"));
    } finally {
      button.disabled = false;
    }
  }

  document.addEventListener("click", (event) => {
    const plain = event.button === 0 && !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
    const link = event.target.closest("[data-correct]");
    if (link && plain) {
      event.preventDefault();
      open(link).catch(() => window.location.assign(link.href));
    }
    if (event.target.closest("[data-dialog] [data-close]") || event.target === dialog) {
      event.preventDefault();
      dialog.close();
    }
  });
  // Whoever chooses with mouse, finger or pen types the reason next, without a press into its field. By keyboard arrows
  // try one status after the other, so the focus stays; so it does where a screen reader chooses, which presses nothing.
  dialog.addEventListener("pointerdown", () => (pressed = true));
  dialog.addEventListener("keydown", () => (pressed = false));
  dialog.addEventListener("change", ({ target }) => {
    if (pressed && target.type === "radio") target.form.elements.reason?.focus();
  });
  dialog.addEventListener("submit", (event) => {
    if (event.target.hasAttribute("data-plain")) return; // changes more than the entry: the page is read anew
    event.preventDefault();
    save(event.target);
  });
  dialog.addEventListener("close", () => {
    const { link, row } = opener;
    (link.isConnected ? link : document.getElementById(row)?.querySelector("[data-correct]"))?.focus();
  });
}
