"""Reading CSV, and the one rule of each field: for forms, imports and commands alike.

`reading` understands a file (encoding, header, limits), `records` cuts it into records, `columns` names the columns
that several files share. `fields` says what may stand in a field of text, `index_numbers` what an index number may be
and which two are hardly told apart, `dates` reads days, clocks and minutes.
"""
