"""Helpers that tabs and components share and that know no component: pictures, texts, links, inputs."""
