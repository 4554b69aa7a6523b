"""The audit log: adding to it, looking at it, and that nobody changes it afterwards."""
