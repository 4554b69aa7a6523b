"""When consent counts; whoever records it asks here: pages, imports, enrolment."""

from datetime import datetime


def outlives_withdrawal(given_at: datetime, withdrawn_at: datetime | None) -> bool:
    """Whether consent counts beside a withdrawal: only one that was given later does.

    Args:
        given_at: aware; of a day without a time, its first moment, so that one of the withdrawal's own day does not
            count.
        withdrawn_at: aware, or None for no withdrawal.
    """
    return withdrawn_at is None or given_at > withdrawn_at
