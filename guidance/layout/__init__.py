"""Where objects shall stand: boxes and masks, read, checked, and at any resolution."""
