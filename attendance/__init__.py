"""The core: settings, tables, the database, the gallery and the face engine. It knows none of the programs above it."""
