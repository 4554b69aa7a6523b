// The records' filter: choosing a course offers its sessions.
import { say } from "./texts.js";

const form = document.querySelector("[data-records-filter]");
const { course, session } = form.elements;

course.addEventListener("change", async () => {
  session.replaceChildren(new Option(say(course.value ? "all sessions" : "course first"), ""));
  session.disabled = !course.value;
  if (!course.value) return;
  const asked = course.value;
  const answer = await fetch(`${form.dataset.sessions}?course=${encodeURIComponent(asked)}`, {
    headers: { "X-Requested-With": "fetch" },
  });
  if (!answer.ok || course.value !== asked) return;
  for (const { id, name } of await answer.json()) session.append(new Option(name, id));
});
