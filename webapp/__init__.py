"""The dashboard for lecturers and administrators."""
