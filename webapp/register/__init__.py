"""The register of a class session."""
