"""Training and measuring the built-in CLIPs of drawn scenes."""
