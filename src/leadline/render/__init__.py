"""A report as files for other programs: Word, PDF, and the formats of reference managers."""
