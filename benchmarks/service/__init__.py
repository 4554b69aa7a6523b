"""What the recognition service does under load: real frames over real gRPC."""
