"""What operators do: configuration of what stands around the service."""
