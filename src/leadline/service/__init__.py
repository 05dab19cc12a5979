"""What answers over HTTP: one service a tool, and what every service stands on.

- ``problems``: failures as problem details (RFC 9457), with a status a kind.
- ``limits``: how large and how deep a body may be; read once, before anything parses it.
- ``keys``: one shared key, compared in constant time; loopback only without.
- ``tracing``: an id for each request, given back and logged.
- ``leaving``: work ends when its client has gone or its time is over.
- ``serving``: run an application until SIGTERM, then drain it.
- ``tools``: `leadline serve-tool`.
"""
