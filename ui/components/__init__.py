"""Building blocks of tabs: components of our own, and groups that several tabs have."""
