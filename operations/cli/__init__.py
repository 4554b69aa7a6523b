"""The command `attendance`: finds each room's sub-commands and imports a room only when its command is called."""
