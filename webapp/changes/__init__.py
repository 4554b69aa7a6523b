"""What people and programs change, each thing once: pages and the interface for programs call the same function.

Each function works in the caller's transaction, begun with `begin_change`, notes what it does in the audit log, and
raises `ChangeError` for what cannot be; then the caller rolls back. What is so already is left alone, without a note.
"""
