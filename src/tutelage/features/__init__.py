"""Teacher + items -> activations: engines, extraction, and the cache that keeps what was computed."""
