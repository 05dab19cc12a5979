"""Changes of the tables, in order; each knows the way back. A change that was released is never edited."""
