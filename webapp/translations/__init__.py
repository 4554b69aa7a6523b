"""What the dashboard says in other languages than English, a folder of each; `update` keeps them in step."""
