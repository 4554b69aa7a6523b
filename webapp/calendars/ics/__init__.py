"""Reading iCalendar (RFC 5545): lines, zones, events, and the times at which they take place.

A calendar comes from anywhere, so that everything is bounded: bytes, lines, events, times of one event, and seconds.
"""
