// A student's page: photos are taken with this computer's camera, and the gallery's jobs are watched.
// Without this script photos are chosen as files, and the page is loaded again to see how far a job is.
import { say } from "./texts.js";

const FIRST_MS = 2_000;
const LATER_MS = 10_000;
const SOON_MS = 60_000;
const SIDE = 240;
const QUALITY = 0.92;

const WHY_NOT = {
  NotAllowedError: "camera not allowed",
  NotFoundError: "no camera",
  NotReadableError: "camera in use",
};

// The files that will be sent: those chosen, and those taken with the camera.
class Photos {
  #form;
  #input;
  #list;
  #kept = [];

  constructor(form) {
    this.#form = form;
    this.#input = form.querySelector('input[type="file"]');
    this.#list = form.querySelector("[data-shots]");
    this.#input.addEventListener("change", () => {
      const taken = this.#kept.filter((photo) => photo.taken);
      this.#kept = [...taken, ...Array.from(this.#input.files, (file) => ({ file, taken: false }))];
      this.#show();
    });
    const refuse = (event) => {
      if (!this.#problem()) return;
      event.preventDefault();
      event.stopImmediatePropagation();
      this.#input.focus();
    };
    form.addEventListener("submit", refuse, { capture: true }); // before the button says that it sends
  }

  get full() {
    return this.#kept.length >= Number(this.#form.dataset.most);
  }

  add(file) {
    this.#kept.push({ file, taken: true });
    this.#show();
  }

  #remove(photo) {
    const place = this.#kept.indexOf(photo);
    this.#kept.splice(place, 1);
    this.#show();
    const buttons = this.#list.querySelectorAll("button");
    (buttons[Math.min(place, buttons.length - 1)] ?? this.#input).focus();
  }

  #problem() {
    const most = Number(this.#form.dataset.most);
    const largest = Number(this.#form.dataset.mostBytes);
    if (this.#kept.length > most) return say("too many photos", { count: this.#kept.length, most });
    const large = this.#kept.find(({ file }) => file.size > largest);
    return large ? say("large photo", { name: large.file.name, megabytes: Math.floor(largest / 1e6) }) : "";
  }

  #show() {
    const box = new DataTransfer();
    for (const { file } of this.#kept) box.items.add(file);
    this.#input.files = box.files;
    this.#list.hidden = !this.#kept.length;
    this.#list.replaceChildren(...this.#kept.map((photo) => this.#item(photo)));
    this.#form.querySelector("[data-photos-problem]").textContent = this.#problem();
    this.#form.dispatchEvent(new Event("photos"));
  }

  #item(photo) {
    if (photo.item) return photo.item;
    const [item, name, button] = ["li", "span", "button"].map((tag) => document.createElement(tag));
    photo.picture = document.createElement("canvas");
    photo.picture.setAttribute("aria-hidden", "true");
    draw(photo);
    name.className = "shot-name";
    name.textContent = photo.file.name;
    button.type = "button";
    button.className = "button button-quiet button-small";
    button.textContent = say("remove");
    button.setAttribute("aria-label", say("remove photo", { name: photo.file.name }));
    button.addEventListener("click", () => this.#remove(photo));
    item.append(photo.picture, name, button);
    photo.item = item;
    return item;
  }
}

// Drawn, because the page's policy lets no address of a file in memory be shown.
async function draw({ file, picture }) {
  try {
    const image = await createImageBitmap(file, { resizeWidth: SIDE, resizeQuality: "medium" });
    [picture.width, picture.height] = [image.width, image.height];
    picture.getContext("2d").drawImage(image, 0, 0);
    image.close();
  } catch {
    picture.hidden = true; // no picture that the browser knows; the server says what is wrong with it
  }
}

class Camera {
  #place;
  #said;
  #video;
  #photos;
  #stream = null;
  #count = 0;

  constructor(form, photos) {
    this.#place = form.querySelector("[data-camera]");
    this.#said = form.querySelector("[data-camera-said]");
    this.#video = form.querySelector("video");
    this.#photos = photos;
    if (!navigator.mediaDevices?.getUserMedia) {
      this.#say(say("camera needs HTTPS"));
      return;
    }
    this.#say("");
    this.#place.hidden = false;
    this.#button("start").addEventListener("click", () => this.#start());
    this.#button("shoot").addEventListener("click", () => this.#shoot());
    this.#button("stop").addEventListener("click", () => this.#stop());
    form.addEventListener("photos", () => this.#bound());
    window.addEventListener("pagehide", () => this.#stop());
  }

  #button(name) {
    return this.#place.querySelector(`[data-camera-${name}]`);
  }

  #say(text) {
    this.#said.textContent = text;
  }

  async #start() {
    try {
      const video = { width: { ideal: 1280 }, height: { ideal: 720 }, facingMode: "user" };
      this.#stream = await navigator.mediaDevices.getUserMedia({ video, audio: false });
      this.#video.srcObject = this.#stream;
      this.#show(true);
      await this.#video.play();
      this.#say(say("camera on"));
      this.#bound();
      this.#button("shoot").focus();
    } catch (error) {
      this.#stop();
      this.#say(say(WHY_NOT[error.name] ?? "camera unusable"));
    }
  }

  #stop() {
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    const was = this.#stream;
    this.#stream = this.#video.srcObject = null;
    this.#show(false);
    if (was) this.#say(say("camera off"));
  }

  async #shoot() {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [this.#video.videoWidth, this.#video.videoHeight];
    if (!canvas.width) return;
    canvas.getContext("2d").drawImage(this.#video, 0, 0);
    const picture = await new Promise((done) => canvas.toBlob(done, "image/jpeg", QUALITY));
    this.#count += 1;
    const name = `camera-${this.#count}.jpg`;
    this.#photos.add(new File([picture], name, { type: "image/jpeg" }));
    this.#say(say("photo taken", { name }));
  }

  #bound() {
    this.#button("shoot").disabled = this.#photos.full;
  }

  #show(on) {
    this.#video.hidden = this.#button("shoot").hidden = this.#button("stop").hidden = !on;
    this.#button("start").hidden = on;
  }
}

// The part about the gallery is read again while something waits or is worked on.
function watch(since = Date.now()) {
  const part = document.querySelector("[data-gallery]");
  if (!part?.hasAttribute("data-moving")) {
    for (const notice of document.querySelectorAll('[data-until="gallery"]')) notice.remove(); // photos that wait do no more
    return;
  }
  window.setTimeout(async () => {
    try {
      if (!document.hidden) await readAgain(part);
    } catch {
      // No connection just now; it is tried again.
    }
    watch(since);
  }, Date.now() - since < SOON_MS ? FIRST_MS : LATER_MS);
}

async function readAgain(part) {
  const answer = await fetch(part.dataset.gallery, { headers: { "X-Requested-With": "fetch" } });
  if (!answer.ok || answer.redirected) throw new Error(`the page answers ${answer.status}`);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const now = page.querySelector("[data-gallery]");
  // An erasure that ended lets the forms above be used again, so the whole page is loaded, unless somebody types.
  const changed = now.querySelector("[data-erasing]") === null && part.querySelector("[data-erasing]") !== null;
  if (changed && document.activeElement === document.body) window.location.reload();
  if (now.innerHTML === part.innerHTML) return;
  part.replaceChildren(...document.adoptNode(now).childNodes);
  part.toggleAttribute("data-moving", now.hasAttribute("data-moving"));
}

const form = document.querySelector("[data-photos]");
if (form) new Camera(form, new Photos(form));
watch();
