"""What a model may call.

- ``registry``: `ToolSet`, the tools of a run by name, each within its time.
- ``arguments``: what a model wrote, made to fit a tool's schema, or refused in words it can act on.
- ``schema``: the part of JSON Schema that tools of our own use.
- ``search``: queries to hits, over several providers.
- ``visit``: addresses to passages of stored texts.
- ``addresses``: when two addresses are the same page; ``brief``: foreign text on one line.
"""
