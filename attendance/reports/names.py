"""Names from files, tables and pickles, before a person reads them."""


def printable(name: str) -> str:
    """The name, or its escapes where it holds what a terminal obeys or what no page can hold."""
    return name if name.isprintable() else ascii(name)
