"""The page of the interface for programs, `docs/api.md`: its words, and every address as the code describes it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from attendance.database.access.kept_answers import LONGEST_KEY
from attendance.settings import Settings
from webapp.account.permissions import SCOPES
from webapp.account.tokens import SCOPE_WORDS
from webapp.api.interface import VERSION
from webapp.api.page import DESCRIPTION, chapters
from webapp.api.paging import MOST, USUAL
from webapp.app import create_app

_PAGE = """\
<!-- Made by `make reference` from the code; do not edit. -->

# The interface for programs

For whoever connects another system, and for lecturers with a script. What the dashboard shows and does is there as
JSON under `/api/v1` (version {version}). The dashboard describes it itself: `/api` is a page for people,
`/api/v1/openapi.json` is OpenAPI 3.1 for programs. Both need no sign-in, and load nothing from elsewhere.

## A token

People make tokens on their profile, *Access for programs*. A token is shown once; what is kept is its hash. A
program sends it:

```sh
curl -H "Authorization: Bearer $TOKEN" https://attendance.example.edu/api/v1/token
```

While the certificate is a trial's, programs need its authority, the server's `/etc/attendance/tls/ca.pem`:
`curl --cacert FILE`; for Python's requests, `REQUESTS_CA_BUNDLE=FILE`.

![Tokens, and making one](pictures/tokens.png)

A token acts for the account that made it, and may at most what the account may ([roles.md](roles.md)). It is
narrowed by scopes, and if wanted to some courses:

{scopes}

The last five are parts of `administer`, one a kind of thing, for accounts that administer.

A token for some courses reads and changes nothing of others, and cannot administer. It ends when it expires (at
most `ATTENDANCE_API_TOKEN_DAYS` days after it was made), when it is revoked, by its owner or by an administrator
(*Administration > Accounts > Tokens of programs*), when its account may not sign in any more, when its owner first
comes from the university's own sign-in ([sign-in.md](sign-in.md)), and when the account loses a role that the token
rests on. Whoever sets a new password is asked whether tokens end, too; where an administrator sets one, they do. With
a backup that is restored all tokens end. The lists say when and from where each was used last; making and ending one
stands in the [audit log](audit.md), and so does, for what a program did, the token's name.

Cookies open nothing here, so no other site can act in somebody's name, and no page of another site may ask (there
is no CORS). `ATTENDANCE_API_ON=false` takes the interface away.

## Ten lines

After two helpers, ten lines of `examples/mark_and_list.py` mark one student and list who is at risk:

```python
{example}```

## In step with a student-records system

`examples/keep_in_step.py` reads the roster that such a system exports, and has the course and its students be so: it
adds, changes, enrols and takes off, and changes nothing the second time. Its token has the scopes `read`, `students`
and `courses`. The heart of it:

```python
{keeping}```

## Writing single things

Departments, rooms, courses, groups, students, series and sessions are added by `POST`, changed by `PATCH` and deleted
by `DELETE`. The rules are the dashboard's own, and so are its permissions and the entries of the
[audit log](audit.md).

- `PATCH` changes the fields that it gives; null empties one that may be empty. What is so already is left alone,
  without an entry in the audit log.
- `PATCH` and `DELETE` want `If-Match`: the `ETag` of what was looked at, or `*`. Without it the answer is 428; where
  somebody changed the thing meanwhile, 412, and nothing is done. Cancelling and restoring a session take it if it is
  sent.
- `POST` of what is there already, with the same name, code, index number or time, and is so in all that is given,
  answers it (200 in place of 201). Where it differs, the answer is 409 and names the field.
- `notes` in the answer says what a person should look at: an index number that is hardly told apart from another, a day
  without teaching.
- Where entries of registers go with what is deleted, say so: `?confirm=` and the code of the course, or the index
  number.
- Whoever may plan moves sessions of the own courses; whom they are for, their minutes, new ones and deleting want the
  scope `timetable` of an administrator. A series changes, and goes, as far as its sessions have not begun.
- Consent, photos and people who sign in are not written here.

## Rules for every address

- Times are UTC, as `2026-11-23T09:00:00+00:00`; days are days at the institution.
- A list comes in parts of {usual} items, or `limit` (at most {most}). `next` is the `cursor` of the next part; null
  ends the list. Items that are added or deleted meanwhile move nothing.
- What a request must not hold is refused and named (422): unknown parameters and fields too, since they may be
  slips.
- What is read has an `ETag`. With `If-None-Match` it is answered 304 while it is the same.
- An entry of a register is set with `If-Match`: the `ETag` of what was looked at, its `version` in quotes, or `*`.
  Without it the answer is 428; where the entry was changed meanwhile, 412, and nothing is set.
- Whoever writes may send an `Idempotency-Key` of up to {longest_key} characters. The same request with the same key
  is done once; within a day its answer is given again, with `Idempotent-Replayed: true`. Another request with that
  key is refused (422); the same while it is being answered, 409.
- `RateLimit-Policy` and `RateLimit` say how many requests a token has left in this minute
  (`ATTENDANCE_API_REQUESTS_A_MINUTE`), whichever process answers. Beyond it the answer is 429, with `Retry-After`.
- Errors are `application/problem+json` (RFC 9457): `status`, `title`, `detail` for people, `errors` by part of the
  request and field, and for the body `pointers`: `{{"pointer": "#/name", "detail": "…"}}` (RFC 6901). `detail` is in
  the language of the token's account. A fault of ours (500) has a `reference` that the server's log names.

| status | means |
| --- | --- |
| 401 | no token, or one that does not count |
| 403 | the account or the token's scopes do not include it |
| 404 | there is no such thing, or it belongs to a course that the token does not reach |
| 409 | it cannot be done as things are; `detail` says why |
| 412, 428 | the entry or the thing was changed; `If-Match` is missing |
| 413, 415 | too large; of another kind than this address takes |
| 422 | a value cannot be so; see `errors` |
| 429 | too many requests in this minute |

## Imports

Students, lecturers, courses, rooms, enrolments, groups and timetables come in through the CSV files of
[imports.md](imports.md), which are tried first: `POST /imports/students` with the file as `text/csv` writes nothing
and says what it would do; `/imports/runs/ID/lines` says it line by line; `/imports/runs/ID/apply` does it. Where
lines are asked about (`asked`), it wants `"checked": true`.

## Addresses

All below `/api/v1`. Parameters, fields and answers are on the page `/api`.

{addresses}
"""
_ROOT = Path(__file__).resolve().parents[2]


def interface_page() -> str:
    """The page as Markdown."""
    return _PAGE.format(
        version=VERSION,
        usual=USUAL,
        most=MOST,
        longest_key=LONGEST_KEY,
        scopes="\n".join(_scopes()),
        addresses="\n".join(_addresses()),
        example=(_ROOT / "examples/mark_and_list.py").read_text(encoding="utf-8").partition('"""\n\n')[2],
        keeping=_heart((_ROOT / "examples/keep_in_step.py").read_text(encoding="utf-8")),
    )


def _heart(example: str) -> str:
    """The function that has one thing be as it is wanted."""
    return "def keep(" + example.partition("def keep(")[2].partition("\n\n\n")[0] + "\n"


def _scopes() -> Iterator[str]:
    yield "| scope | lets |"
    yield "| --- | --- |"
    for scope in SCOPES:
        yield f"| `{scope}` | {str(SCOPE_WORDS[scope]).partition(': ')[2]} |"


def _addresses() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(Settings.model_validate({"data": {"directory": Path(folder)}}))
        found = list(chapters(app.extensions[DESCRIPTION]()))
    for chapter in found:
        yield f"### {chapter.name}\n\n{chapter.about}\n"
        yield "| address | does | scope |"
        yield "| --- | --- | --- |"
        for operation in chapter.operations:
            path = operation.path.removeprefix("/api/v1")
            scope = ", ".join(f"`{each}`" for each in operation.scopes) or "any"
            yield f"| `{operation.method} {path}` | {' '.join(operation.summary.split())} | {scope} |"
        yield ""
