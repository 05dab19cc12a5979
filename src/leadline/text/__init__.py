"""Pure functions over text, English and Chinese on a par; standard library only.

Every offset counts Unicode code points of the text that was passed in. Nothing here performs
input or output, keeps state or raises on hostile input, and every pattern runs in linear time.

- ``offsets``: ``Span``, a half-open range of code points.
- ``language``: which of the two languages a text is in; what counts as a CJK character.
- ``han``: the table of traditional and simplified characters.
- ``words``: stop words, question words and irregular forms; data only.
- ``tokens``: terms for ranking, text and queries for a full-text index.
- ``sentences``: sentence spans.
- ``spans``: finds a quotation in a stored text although white space or marks differ.
- ``rank``: BM25 over passages, goal-directed windows, near-duplicates.
- ``lines``: lines of set text joined into one for display.
- ``clean``: makes foreign text inert before it enters a prompt; white space for display.
- ``numbers`` and ``numerals``: quantities by value, with units.
- ``dates``: dates by value.
- ``names``: proper names and quoted titles.
- ``negation``: words that turn a statement round.
"""
