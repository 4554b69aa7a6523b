"""The pages of CSV imports: one file, several files; what a file does is said in `webapp.imports`."""

from webapp.admin.importing import one_file, several_files

__all__ = ["one_file", "several_files"]
