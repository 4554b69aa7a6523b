"""`python -m attendance_cli` is the command `attendance`."""

from attendance_cli.main import main

main()
