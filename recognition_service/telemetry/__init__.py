"""What the service tells operators: metrics and traces."""
