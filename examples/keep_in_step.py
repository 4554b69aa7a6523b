"""Keep students and a course in step with a student-records system: add, change, enrol and take off, again and again.

The file is what such a system exports, a line a student of the course: index_number,name,email

API_ADDRESS=https://attendance.example.edu API_TOKEN=att_... python keep_in_step.py MAT101 "Linear algebra" roster.csv

The token has the scopes read, students and courses. Run twice, it changes nothing the second time. Nobody is deleted:
who is not in the file any more is taken off the course, unless that were more than half of it.
"""

import csv
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

code, course_name, file = sys.argv[1:]
api = requests.Session()
api.headers["Authorization"] = f"Bearer {os.environ['API_TOKEN']}"


def ask(method: str, path: str, **more: Any) -> requests.Response:
    answer = api.request(method, f"{os.environ['API_ADDRESS']}/api/v1{path}", timeout=30, **more)
    if not answer.ok:
        problem = answer.json()
        wrong = [f"{one['pointer']}: {one['detail']}" for one in problem.get("pointers", ())]
        sys.exit(f"{method} {path}: {answer.status_code} {'; '.join(wrong) or problem['detail']}")
    return answer


def items(path: str, **asked: object) -> Iterator[dict[str, Any]]:
    cursor = ""
    while cursor is not None:
        part = ask("GET", path, params={**asked, "cursor": cursor}).json()
        yield from part["items"]
        cursor = part["next"]


def keep(kind: str, key: str, wanted: dict[str, Any]) -> int:
    """Have a thing be as it is wanted, found by its key; its id."""
    found = next(items(f"/{kind}", **{key: wanted[key]}), None)
    if found is None:
        made = ask("POST", f"/{kind}", json=wanted)
        print(f"added {wanted[key]}", *made.json().get("notes", ()))
        return int(made.json()["id"])
    path = f"/{kind}/{found['id']}"
    now = ask("GET", path)
    changed = {name: value for name, value in wanted.items() if now.json()[name] != value}
    if changed:  # If-Match: what somebody changed at the same moment is not overwritten
        ask("PATCH", path, json=changed, headers={"If-Match": now.headers["ETag"]})
        print(f"changed {wanted[key]}: {', '.join(changed)}")
    return int(found["id"])


with Path(file).open(encoding="utf-8", newline="") as lines:
    roster = [{**line, "email": line["email"].lower() or None} for line in csv.DictReader(lines)]
course = keep("courses", "code", {"code": code, "name": course_name})
before = {student["id"]: student["index_number"] for student in items(f"/courses/{course}/students")}
wanted = {keep("students", "index_number", student): student["index_number"] for student in roster}
gone = before.keys() - wanted.keys()
if 2 * len(gone) > len(before):
    sys.exit(f"{len(gone)} of {len(before)} students would be taken off {code}: look at {file} first")
for student in wanted.keys() - before.keys():
    ask("PUT", f"/courses/{course}/students/{student}")
    print(f"enrolled {wanted[student]}")
for student in gone:
    ask("DELETE", f"/courses/{course}/students/{student}")
    print(f"took off {before[student]}")
