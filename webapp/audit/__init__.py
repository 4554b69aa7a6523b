"""The audit log in the dashboard: its page, and noting who takes files home."""
