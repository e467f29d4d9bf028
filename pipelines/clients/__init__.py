"""What stands at the two ends of a stream: files, and a client that sends them to a server."""
