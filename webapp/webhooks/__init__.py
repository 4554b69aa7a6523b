"""Webhooks: what is told of each event, sending it, and the administrator's pages.

What happens is written down by `attendance.database.outgoing.events`, in the transaction in which it does.
"""
