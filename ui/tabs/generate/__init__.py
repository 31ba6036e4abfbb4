"""The Generate tab: pictures with every object in its box."""
