"""How the system is installed on a server: units, nginx site, and the installer that puts them in place."""
