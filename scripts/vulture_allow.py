"""Names that only look unused: vulture counts what stands here as used."""

trace  # the third argument of __exit__ and __aexit__

# Arguments in the protocol that the command line asks of its engine (leadline/cli/engine.py).
docs
indexing
older_than_days
