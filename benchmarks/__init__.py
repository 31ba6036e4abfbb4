"""Commands that measure, side by side with what a user would pick instead."""
