"""The researcher without a model: what a question asks, which pages bear on it, which sentences answer it."""
