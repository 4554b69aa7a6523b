"""The gRPC service: receive, decode, batch, recognise, track, commit."""
