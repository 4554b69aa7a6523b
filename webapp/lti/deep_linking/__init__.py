"""Choosing what a link opens when a lecturer inserts it into a course of a platform (LTI Deep Linking 2.0).

The platform opens the tool in a frame or a window; `choosing` asks there, and sends the answer (`answering`) back
through the same window by a form, as the standard wants.
"""
