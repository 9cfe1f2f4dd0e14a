"""The door to the database: addresses, connections, patience, and the state of the schema."""
