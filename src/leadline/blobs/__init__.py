"""Bodies by hash: stored texts, raw bytes, reports, large values."""
