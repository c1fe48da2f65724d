"""The page that lies beside a result, for people who would rather look."""

GENERATOR = '<meta name="generator" content="color-quantization">'
"""What a report says of itself in its head."""
