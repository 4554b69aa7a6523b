"""What ties a sign-in to the person who made it."""

from datetime import datetime, timedelta

_CLOCKS_DIFFER = timedelta(minutes=1)
"""By at most as much, of the machines that make rows and sign-ins."""


def was_there(created_at: datetime, signed_in_at: float) -> bool:
    """Whether a row can be of whoever signed in then: SQLite gives the id of a deleted row to the next one.

    Args:
        created_at: of the row, aware.
        signed_in_at: seconds since 1970, UTC.
    """
    return (created_at - _CLOCKS_DIFFER).timestamp() <= signed_in_at
