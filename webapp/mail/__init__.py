"""Mail: what is said in it, when, and the worker that sends it.

A kind of mail is a module of `kinds`. Whoever wants to say something calls `attendance.database.mail.queue_mail`.
"""
