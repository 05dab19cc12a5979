"""The routes, one file a resource: each has a function `routes` that returns its `Routes`."""
