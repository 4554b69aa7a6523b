"""Pictures and lists that the documents take from the code: rooms, tables, settings, commands, calls."""
