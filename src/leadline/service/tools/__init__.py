"""`leadline serve-tool`: one tool behind `POST /{tool}`; what a run's own tools stand on, for other processes."""
