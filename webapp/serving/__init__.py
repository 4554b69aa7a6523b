"""The dashboard under gunicorn: the server, its headers, its log and its health."""
