"""Providers of web search.

In order of reading:

- ``types``: what one provider is: a request and how to read its reply, both pure.
- ``engine``: `WebSearch`, the one class around every provider that speaks HTTP.
- ``places``: language and region by the question's script.
- ``published``: the many ways in which providers write dates.
- one file a provider: ``serper`` ``tavily`` ``brave`` ``exa`` ``searxng`` ``jina`` ``serpapi``
  ``wikipedia``, and ``ddgs``, which is a library.
- ``failover``: the first provider that answers.
"""
