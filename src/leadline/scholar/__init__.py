"""Scholarly works from several services, as one list.

In order of reading:

- ``types``: what one service is: a request and how to read its reply, both pure.
- one file a service: ``openalex`` ``crossref`` ``arxiv`` ``semanticscholar`` ``europepmc`` ``serper``.
- ``merge``: many lists of works to one, a work once.
- ``fulltext``: where anybody may read a work: arXiv, Unpaywall.
- ``library``: `Library`, all of it: ask, merge, resolve.
"""
