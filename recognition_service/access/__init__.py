"""Who may call, over what: tokens, throttling, certificates, and the gRPC server."""
