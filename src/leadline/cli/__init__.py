"""The command line: results on stdout, everything else on stderr, an exit code an error family."""
