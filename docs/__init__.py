"""Documents of the project, and what they take from the code."""
