"""`python -m operations.cli` is the command `attendance`."""

from operations.cli.main import main

main()
