"""Research for hosts that speak the Model Context Protocol: at `/mcp`, and `leadline mcp` over standard input.

- ``desk``: what a host may ask for, behind one port; ``service_desk``: by a service and its caller.
- ``tools``: the six tools as they are described, and how their arguments are read.
- ``server``: the protocol; the only importer of the library `mcp` here.
"""
