"""Tools of external servers that speak the Model Context Protocol.

- ``tool``: one of them as a tool of a run; what it gives is stored as a source, and hostile.
- ``described``: a server's description of a tool, made fit for a model, and its hash.
- ``pins``: the descriptions that the operator has looked at.
- ``session``: the one connection to a server; the only importer of the library `mcp`.
- ``servers``: which server a name belongs to, and what it may offer.
"""
