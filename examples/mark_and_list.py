"""Mark one student in the latest session of a course, and list who is at risk in it.

API_ADDRESS=https://attendance.example.edu API_TOKEN=att_... python mark_and_list.py MAT101 123456 late
"""

import os
import sys
from datetime import UTC, datetime

import requests

code, index_number, status = sys.argv[1:]
api = requests.Session()
api.headers["Authorization"] = f"Bearer {os.environ['API_TOKEN']}"


def ask(method: str, path: str, **more: object) -> requests.Response:
    answer = api.request(method, f"{os.environ['API_ADDRESS']}/api/v1{path}", timeout=30, **more)
    answer.raise_for_status()
    return answer


(course,) = ask("GET", "/courses", params={"code": code}).json()["items"]
(student,) = ask("GET", "/students", params={"index_number": index_number}).json()["items"]
asked = {"course_id": course["id"], "starts_before": datetime.now(UTC).isoformat(), "limit": 500}
session = ask("GET", "/sessions", params=asked).json()["items"][-1]
entry = f"/sessions/{session['id']}/attendance/{student['id']}"
seen = {"If-Match": ask("GET", entry).headers["ETag"]}
done = ask("PUT", entry, headers=seen, json={"status": status, "reason": "Marked by a script"}).json()
print(f"{done['name']}: {done['status']}")
for one in ask("GET", "/reports/at-risk", params={"course_id": course["id"]}).json()["items"]:
    print(f"{one['index_number']} {one['name']}: {one['rate']:.0%} of {one['threshold']}% asked for")
