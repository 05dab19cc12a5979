"""Where words lead to addresses: one file a provider, and the local corpus.

The local corpus, in order of reading:

- ``corpus``: `Corpus`, the folder of documents as a provider of search and a reader.
- ``corpus_refresh``: what changed on disk becomes what changed in the index.
- ``corpus_index``: the writer's statements: store a text, point a file at it, forget both.
- ``corpus_query``: the reader's statements: words to passages, addresses to stored texts.
- ``corpus_schema``: tables, versions, connections, the lock between processes.
- ``corpus_nearest``: questions to passages by vectors, where an embedding endpoint is set.
- ``corpus_embed``: passages to vectors after a refresh, within a budget.
- ``corpus_vector_file``: the file of vectors beside the index.
- ``corpus_vectors``: vectors in 8 bits, and which are nearest; needs the extra `vectors`.
- ``corpus_types``: what goes in and comes out.
- ``passages``: a text cut into passages of about 1,000 characters.
- ``addresses``: paths to `file:` and `document:` addresses and back.
"""
