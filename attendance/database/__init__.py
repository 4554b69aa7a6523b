"""The one schema that the recognition service and the dashboard share, on SQLite, MySQL and MariaDB."""
