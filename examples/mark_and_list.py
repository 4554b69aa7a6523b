"""Mark one student in the latest session of a course, and list who is at risk in it.

API_ADDRESS=https://attendance.example.edu API_TOKEN=att_... python mark_and_list.py MAT101 123456 late
"""

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import requests

code, index_number, status = sys.argv[1:]
api = requests.Session()
api.headers["Authorization"] = f"Bearer {os.environ['API_TOKEN']}"


def ask(method: str, path: str, **more: object) -> requests.Response:
    answer = api.request(method, f"{os.environ['API_ADDRESS']}/api/v1{path}", timeout=30, **more)
    answer.raise_for_status()
    return answer


def items(path: str, **asked: object) -> Iterator[dict[str, Any]]:
    cursor = ""
    while cursor is not None:
        part = ask("GET", path, params={**asked, "cursor": cursor}).json()
        yield from part["items"]
        cursor = part["next"]


(course,) = items("/courses", code=code)
(student,) = items("/students", index_number=index_number)
begun = {"starts_before": datetime.now(UTC).isoformat(), "state": "scheduled"}
*_, session = items("/sessions", course_id=course["id"], **begun)
entry = f"/sessions/{session['id']}/attendance/{student['id']}"
seen = {"If-Match": ask("GET", entry).headers["ETag"]}
done = ask("PUT", entry, headers=seen, json={"status": status, "reason": "Marked by a script"}).json()
print(f"{done['name']}: {done['status']}")
for one in items("/reports/at-risk", course_id=course["id"]):
    print(f"{one['index_number']} {one['name']}: {one['rate']:.0%} of {one['threshold']}% asked for")
