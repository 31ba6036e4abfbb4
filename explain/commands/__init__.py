"""The command lines of `python -m explain`, and what all commands share: options, progress, how they end."""
