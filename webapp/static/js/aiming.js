// The aiming view: reads the part in words again and again, and shows the picture that it names. Without a script, a link
// reads the page again. Nothing is read while nobody looks, and a part that says that the view is over is the last.
import { say } from "./texts.js";

const BETWEEN_MS = 700;
const TRY_AGAIN_MS = 3_000;
const TIMEOUT_MS = 25_000;
const GONE = new Set([401, 403, 404, 410]);

const part = document.getElementById("aiming-part");
const frame = document.getElementById("aiming-frame");
const live = document.getElementById("aiming-live");
const said = document.getElementById("aiming-said");
const pause = document.getElementById("aiming-pause");

let paused = false;
let over = false;
let reading = false;
let advised = "";

const words = () => part.querySelector(".aiming-words");

// The picture is shown once it has come, so that there is never an empty frame.
function show(now) {
  const { picture, width, height } = now.dataset;
  if (!picture) return;
  const next = new Image(Number(width), Number(height));
  next.id = "aiming-picture";
  next.alt = say("what the camera sees");
  next.addEventListener("load", () => {
    (document.getElementById("aiming-picture") ?? frame.querySelector(".aiming-nothing"))?.replaceWith(next);
    frame.dispatchEvent(new CustomEvent("aiming:size", { detail: { width: Number(width), height: Number(height) } }));
  });
  next.src = picture;
}

// Sizes change with every picture; aloud is said only that what to change has changed.
function tell(now) {
  const advice = Array.from(now.querySelectorAll(".aiming-advice li"), (line) => line.textContent).join(" ");
  const title = now.dataset.number ? advice : now.querySelector("h2").textContent;
  const gist = title.replace(/[\d.,]+/g, "#");
  if (gist !== advised) said.textContent = title;
  advised = gist;
}

async function read() {
  if (reading || paused || over || document.hidden) return;
  reading = true;
  let wait = BETWEEN_MS;
  try {
    const after = words()?.dataset.number;
    const address = after ? `${part.dataset.part}?after=${after}` : part.dataset.part;
    const answer = await fetch(address, {
      headers: { "X-Requested-With": "fetch" },
      cache: "no-store",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (GONE.has(answer.status)) {
      over = true;
      live.textContent = say("view over");
      return;
    }
    if (!answer.ok) throw new Error(`the part answers ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const now = document.adoptNode(page.querySelector(".aiming-words"));
    if (paused) return;
    if (!now.dataset.number) wait = TRY_AGAIN_MS;
    over = "over" in now.dataset;
    words().replaceWith(now);
    show(now);
    tell(now);
  } catch {
    wait = TRY_AGAIN_MS; // no connection just now
  } finally {
    reading = false;
    if (over) pause.hidden = true;
    else window.setTimeout(read, wait);
  }
}

pause.hidden = false;
pause.addEventListener("click", () => {
  paused = !paused;
  pause.setAttribute("aria-pressed", String(paused));
  pause.textContent = paused ? say("go on") : say("pause");
  if (!paused) read();
});
document.addEventListener("visibilitychange", read);
window.setTimeout(read, BETWEEN_MS);
