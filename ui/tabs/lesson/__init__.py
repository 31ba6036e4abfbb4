"""On the Words tab: a model learns classes from a few pictures."""
