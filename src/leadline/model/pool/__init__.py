"""The pool of model servers: who takes a call, how each one does, and where conversations sit."""
