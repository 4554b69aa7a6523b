"""Rules about what an OpenID provider says of a person, as settings have them.

A condition is `CLAIM = VALUE`. A `*` in the value, once, stands for any text: `groups = /courses/*/lecturers`. A rule
for a role is `CONDITION -> ROLE [PLACE]`; a `*` in the place is what the condition's own stood for, so that
`groups = /courses/*/lecturers -> lecturer *` makes whoever is in `/courses/MA101/lecturers` lecturer of MA101.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

_ANY = "*"
_EVERYWHERE = "administrator"
_IN_A_PLACE = ("department", "lecturer", "assistant")


@dataclass(frozen=True)
class Condition:
    """What a claim must say.

    Attributes:
        claim: its name; a dot leads into an object (`realm_access.roles`) unless a claim has the whole name.
        value: which value; a `*` in it stands for any text.
    """

    claim: str
    value: str = _ANY

    def found_in(self, claims: Mapping[str, Any]) -> list[str]:
        """For each value of the claim that fits, what the `*` stands for, "" without one; [] where none fits."""
        pattern = re.compile("(.+)".join(re.escape(part) for part in self.value.split(_ANY)), re.DOTALL)
        fitting = filter(None, map(pattern.fullmatch, values_of(claims, self.claim)))
        return [found[1] if pattern.groups else "" for found in fitting]


@dataclass(frozen=True)
class RoleRule:
    """A role that whoever meets a condition has.

    Attributes:
        condition: which.
        role: "administrator", "department", "lecturer" or "assistant".
        place: the department's name or the course's code, with the condition's `*`; "" of an administrator.
    """

    condition: Condition
    role: str
    place: str = ""

    def found_in(self, claims: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """The role with each place where these claims give it."""
        for stands_for in self.condition.found_in(claims):
            yield self.role, self.place.replace(_ANY, stands_for)


def values_of(claims: Mapping[str, Any], name: str) -> list[str]:
    """The values of a claim as text; of an array each, of an object or where there is no such claim none."""
    found: Any = claims
    if name in claims:
        found = claims[name]
    else:
        for part in name.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    several = found if isinstance(found, list) else [found]
    texts = (str(value).lower() if isinstance(value, bool) else value for value in several)
    return [str(value) for value in texts if isinstance(value, str | int) and str(value)]


def condition(text: str) -> Condition:
    """Read a condition; a claim alone means that it has any value.

    Raises:
        ValueError: it is none; a sentence.
    """
    claim, equals, value = (part.strip() for part in text.partition("="))
    if not claim or " " in claim or (equals and not value):
        raise ValueError(f"{text!r} is no condition; write it like groups = attendance-staff")
    if value.count(_ANY) > 1:
        raise ValueError(f"{text!r} has more than one *")
    return Condition(claim, value or _ANY)


def role_rule(text: str) -> RoleRule:
    """Read a rule for a role.

    Raises:
        ValueError: it is none; a sentence.
    """
    before, arrow, after = text.rpartition("->")
    role, _, place = after.strip().partition(" ")
    place = place.strip()
    if not arrow or role not in (_EVERYWHERE, *_IN_A_PLACE):
        raise ValueError(
            f"{text!r} is no rule for a role; write it like groups = maths-heads -> department Mathematics; the roles "
            f"are administrator, department, lecturer and assistant"
        )
    if (role == _EVERYWHERE) != (place == ""):
        raise ValueError(f"{text!r}: a department or a course must follow, unless it is the role administrator")
    needed = condition(before)
    if place.count(_ANY) > needed.value.count(_ANY):
        raise ValueError(f"{text!r}: the * of the place has none in the condition to stand for")
    return RoleRule(needed, role, place)


def _lines(value: object) -> object:
    """Lines of a text, or parts between semicolons, are as good as a list: variables hold text only."""
    return (
        tuple(part.strip() for part in re.split(r"[;\n]", value) if part.strip()) if isinstance(value, str) else value
    )


def _all_conditions(value: tuple[str, ...]) -> tuple[str, ...]:
    for text in value:
        condition(text)
    return value


def _all_rules(value: tuple[str, ...]) -> tuple[str, ...]:
    for text in value:
        role_rule(text)
    return value


Words = Annotated[tuple[str, ...], BeforeValidator(_lines)]
"""Several texts: a list in the file, in a variable with semicolons between them."""
Conditions = Annotated[Words, AfterValidator(_all_conditions)]
RoleRules = Annotated[Words, AfterValidator(_all_rules)]
