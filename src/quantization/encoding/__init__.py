"""Image files that Render writes: one module a format."""
