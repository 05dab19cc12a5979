"""Shipping journals to a log that others read: a file, Kafka or a Redis stream.

`envelope` writes what is shipped, `shipper` carries it, behind a lease and at least once; one file
a sink.
"""
