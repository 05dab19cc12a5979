"""The Web UI: static files without a build step, and reports prepared for them. The service serves both."""
