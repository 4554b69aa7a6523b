"""The tables of *my data*: of every row that the database keeps of a student, what concerns the student.

Of others there is nothing but the names of those who decided something. How near other students' faces were is left
out, and so are the hashes of links. A test holds these tables against all that refer to a student.
"""

from webapp.me.own_data.person import PERSON_TABLES
from webapp.me.own_data.register import REGISTER_TABLES
from webapp.me.own_data.told import TOLD_TABLE

TABLES = (*PERSON_TABLES, *REGISTER_TABLES, TOLD_TABLE)
