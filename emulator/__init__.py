"""Running the service on one machine: the embedded engine, and the client."""
