"""Python programs of a model, run where they can harm nobody and learn nothing.

- ``types``: the port `Sandbox`, programs, what came of them, limits.
- ``choose``: which design, and never none: `open_sandbox`; ``selftest`` proves it at every start.
- ``supervisor``: `LocalSandbox` over ``child`` (one process), ``watchdog``, ``cgroups``, ``folders``.
- ``bwrap``, ``landlock``: the two designs, over ``design``; ``seccomp``: their system call filter.
- ``launch``, ``inside``: run within, from their text alone.
- ``chromium``: the browser that renders pages, confined; ``apart``: its network, from its text alone.
- ``remote``: an executor elsewhere.
- ``tree``: the interpreter that programs see; ``artefacts``, ``png``: the files that come out.
"""
