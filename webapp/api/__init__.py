"""The interface for programs, `/api/v1`: what the pages show and do, as JSON, with tokens in place of sign-ins."""
