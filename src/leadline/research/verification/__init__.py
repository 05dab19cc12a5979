"""Claims against their excerpts: values, words, negation, and a judge for what these leave open."""
