"""The pool behind one address: an OpenAI-compatible ASGI application, and what its operator sees of it."""
