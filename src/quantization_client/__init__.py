"""The commands `quantize` and `quantize-palettes`."""
