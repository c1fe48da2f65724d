"""What the three functions share: messages, storage, errors, decoding and color spaces."""

__version__ = "0.1.0"
