"""The engine: question in, report out; no vendor library, no HTTP, no database."""
