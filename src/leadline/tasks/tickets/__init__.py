"""The engine over Celery: anonymous tickets of a broker wake idle slots; runs and their order stay in the store."""
