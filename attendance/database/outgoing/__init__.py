"""What goes out: the mechanism of every queue, and the webhooks' events, endpoints and deliveries."""
