"""Pictures of the dashboard for the documents: `python -m docs.screens`."""
