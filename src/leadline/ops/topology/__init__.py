"""The whole production topology on one machine: which parts there are, and the supervisor that keeps them running."""
