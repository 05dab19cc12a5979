"""Where words lead to addresses: one file a provider, and the local corpus.

The local corpus, in order of reading:

- ``corpus``: `Corpus`, the folder of documents as a provider of search and a reader.
- ``corpus_refresh``: what changed on disk becomes what changed in the index.
- ``corpus_index``: the writer's statements: store a text, point a file at it, forget both.
- ``corpus_query``: the reader's statements: words to passages, addresses to stored texts.
- ``corpus_schema``: tables, versions, connections, the lock between processes.
- ``corpus_types``: what goes in and comes out.
- ``passages``: a text cut into passages of about 1,000 characters.
- ``addresses``: paths to `file:` and `document:` addresses and back.
"""
