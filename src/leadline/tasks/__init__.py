"""The run store: runs, their journals, leases and fences. One adapter a database."""
