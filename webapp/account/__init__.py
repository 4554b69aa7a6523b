"""Who is signed in, what that lets them open, and their profile."""
