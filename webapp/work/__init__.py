"""`attendance web work`: everything that goes out or is done at its hour, each kind of work in threads of its own.

Any number of such programs may run: what is to be done are rows of the database, which one of them claims.
"""
