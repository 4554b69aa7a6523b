// Drawing areas over the picture, with a pointer or with the keyboard. The form's numbers are what counts: what is drawn
// is written there, and what is typed there is drawn.
import { say } from "./texts.js";

const SVG = "http://www.w3.org/2000/svg";
const MOST = 20;
const NEAR_PX = 14;
const STEP = 1;
const LONG_STEP = 5;

const svg = document.getElementById("aiming-areas");
const frame = document.getElementById("aiming-frame");
const live = document.getElementById("aiming-live");
const areas = Array.from(document.querySelectorAll("[data-area]"), (box) => ({
  kind: box.querySelector("select"),
  points: box.querySelector("textarea"),
  draw: box.querySelector("[data-draw]"),
}));

let drawing = null;
let dragged = null;
let cross = [50, 50];
let size = [svg.viewBox.baseVal.width, svg.viewBox.baseVal.height];

// Percent from the left and from the top, as they are typed; lines that are no points are left to the server.
function pointsOf(area) {
  return area.points.value
    .split("\n")
    .map((line) => line.trim().split(/[\s;]+/).map((part) => Number(part.replace(/,$/, "").replace(",", "."))))
    .filter((point) => point.length === 2 && point.every((value) => value >= 0 && value <= 100));
}

const rounded = (value) => String(Math.round(Math.min(100, Math.max(0, value)) * 10) / 10);

function write(area, points) {
  area.points.value = points.map((point) => point.map(rounded).join(" ")).join("\n");
  if (!area.kind.value && points.length) area.kind.value = "skip";
  paint();
}

function make(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

const placed = ([x, y]) => [(x * size[0]) / 100, (y * size[1]) / 100];

function paint() {
  svg.replaceChildren();
  for (const area of areas) {
    const points = pointsOf(area);
    if (!points.length || (!area.kind.value && area !== drawing)) continue;
    const flat = points.map((point) => placed(point).join(",")).join(" ");
    svg.append(make("polygon", { class: `area-${area.kind.value || "none"}`, points: flat }));
  }
  if (!drawing) return;
  for (const point of pointsOf(drawing)) {
    const [cx, cy] = placed(point);
    svg.append(make("circle", { cx, cy, r: size[0] / 130 }));
  }
  if (document.activeElement === svg) {
    const [x, y] = placed(cross);
    const long = size[0] / 40;
    svg.append(make("line", { class: "cross", x1: x - long, x2: x + long, y1: y, y2: y }));
    svg.append(make("line", { class: "cross", x1: x, x2: x, y1: y - long, y2: y + long }));
  }
}

function begin(area) {
  if (drawing) end();
  drawing = area;
  area.draw.setAttribute("aria-pressed", "true");
  area.draw.textContent = say("end drawing");
  svg.classList.add("drawing");
  svg.setAttribute("tabindex", "0");
  svg.setAttribute("role", "application");
  svg.setAttribute("aria-label", say("how to draw"));
  live.textContent = say("how to draw");
  svg.focus({ preventScroll: true });
  frame.scrollIntoView({ block: "nearest" });
  paint();
}

function end() {
  const area = drawing;
  drawing = dragged = null;
  area.draw.setAttribute("aria-pressed", "false");
  area.draw.textContent = say("draw");
  svg.classList.remove("drawing");
  svg.removeAttribute("tabindex");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", say("the areas"));
  live.textContent = "";
  area.draw.focus();
  paint();
}

function add(point) {
  const points = pointsOf(drawing);
  if (points.length >= MOST) {
    live.textContent = say("enough points", { most: MOST });
    return;
  }
  write(drawing, [...points, point]);
  live.textContent = say("point", { number: points.length + 1, x: rounded(point[0]), y: rounded(point[1]) });
}

function at(event) {
  const box = svg.getBoundingClientRect();
  return [((event.clientX - box.left) / box.width) * 100, ((event.clientY - box.top) / box.height) * 100];
}

function nearest(event) {
  const box = svg.getBoundingClientRect();
  const far = ([x, y]) =>
    Math.hypot(event.clientX - box.left - (x * box.width) / 100, event.clientY - box.top - (y * box.height) / 100);
  const found = pointsOf(drawing).findIndex((point) => far(point) <= NEAR_PX);
  return found < 0 ? null : found;
}

svg.addEventListener("pointerdown", (event) => {
  if (!drawing || event.button !== 0) return;
  event.preventDefault();
  svg.focus({ preventScroll: true });
  dragged = nearest(event);
  if (dragged === null) {
    add(at(event));
    dragged = pointsOf(drawing).length - 1;
  }
  svg.setPointerCapture(event.pointerId);
});
svg.addEventListener("pointermove", (event) => {
  if (!drawing || dragged === null) return;
  const points = pointsOf(drawing);
  points[dragged] = at(event);
  write(drawing, points);
});
svg.addEventListener("pointerup", () => (dragged = null));
svg.addEventListener("pointercancel", () => (dragged = null));

const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
svg.addEventListener("keydown", (event) => {
  if (!drawing) return;
  const move = MOVES[event.key];
  if (move) {
    const step = event.shiftKey ? LONG_STEP : STEP;
    cross = cross.map((value, axis) => Math.min(100, Math.max(0, value + step * move[axis])));
    live.textContent = say("cross", { x: rounded(cross[0]), y: rounded(cross[1]) });
  } else if (event.key === "Enter" || event.key === " ") add(cross);
  else if (event.key === "Backspace" || event.key === "Delete") {
    write(drawing, pointsOf(drawing).slice(0, -1));
    live.textContent = say("point removed");
  } else if (event.key === "Escape") end();
  else return;
  event.preventDefault();
  paint();
});
svg.addEventListener("focus", paint);
svg.addEventListener("blur", paint);

for (const area of areas) {
  area.draw.hidden = false;
  area.draw.addEventListener("click", () => (drawing === area ? end() : begin(area)));
  area.points.addEventListener("input", paint);
  area.kind.addEventListener("change", paint);
}
frame.addEventListener("aiming:size", ({ detail }) => {
  if (detail.width === size[0] && detail.height === size[1]) return;
  size = [detail.width, detail.height];
  svg.setAttribute("viewBox", `0 0 ${size.join(" ")}`);
  paint();
});
paint();
