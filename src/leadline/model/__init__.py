"""Adapters of the `Model` port; `wiring` chooses among them."""
