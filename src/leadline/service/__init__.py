"""What answers over HTTP: research as a service, one service a tool, and what both stand on.

Research as a service (`leadline serve`), in order of reading:

- ``app``: the application; ``resources`` lists the routes, ``routes`` holds them, one file a resource.
- ``routing``: what happens to every request: who asks, is it let in, may it, what is written down.
- ``door``: callers, keys, cookies, passes of a balancer. ``deps``: what endpoints ask for by annotation.
- ``services``: what the routes stand on. ``work``: what is done beside requests.
- ``asking``, ``runs``, ``evidence``: a question made into a run, runs looked up and steered, what came of them.
- ``streams``: events as they come. ``shown``: what of all that is shown.
- ``shapes``, ``paging``, ``openapi``: what is taken and given, and the document of it.
- ``run``, ``crew``: from settings to the end of the drain, in one process or several.

What every service stands on:

- ``problems``, ``answers``: failures as problem details (RFC 9457), with a status a kind.
- ``limits``: how large and how deep a body may be; read once, before anything parses it.
- ``keys``: one shared key, compared in constant time; loopback only without.
- ``headers``: what keeps browsers from making more of an answer than it is.
- ``tracing``: an id for each request, given back and logged.
- ``leaving``: work ends when its client has gone or its time is over.
- ``serving``, ``server``: run an application until SIGTERM, then drain it.
- ``tools``: `leadline serve-tool`.
"""
