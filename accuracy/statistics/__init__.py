"""Error rates with exact intervals, bootstrap over people, and their charts."""
