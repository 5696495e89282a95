"""How staff's pages write times: UTC, to the second, the same everywhere."""
