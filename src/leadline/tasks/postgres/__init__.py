"""The run store on PostgreSQL: any number of hosts, one database, whose clock decides about leases.

`database` holds the connections, `news` what is waited for, `journal` appends with group commit,
`claims` the one statement that hands out work, `verbs` and `figures` the rest; `migrate` makes and
changes the tables.
"""

from leadline.tasks.postgres.store import PostgresStore

__all__ = ["PostgresStore"]
