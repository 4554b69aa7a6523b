"""What presentation attacks get past the service, and whom it holds wrongly."""
