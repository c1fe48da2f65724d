"""What the three functions share: messages, storage, errors, decoding and colour spaces."""

__version__ = "0.1.0"
