// What scripts say, in the page's language: the page carries the texts as JSON, with {name} for what is filled in.

const TEXTS = Object.assign(
  {},
  ...Array.from(document.querySelectorAll('meta[name="texts"]'), (meta) => JSON.parse(meta.content)),
);

export function say(name, values = {}) {
  return TEXTS[name].replace(/\{(\w+)\}/g, (_, key) => values[key]);
}
