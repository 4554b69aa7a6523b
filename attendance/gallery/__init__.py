"""The gallery: the store of students' encodings, and the index published from it."""
