"""The open web: a guard at the connection, a bounded and polite client, readers of pages, a guarded proxy."""
