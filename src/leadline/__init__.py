"""Leadline: a deep-research engine whose every claim is tied to a stored source, and checked."""
