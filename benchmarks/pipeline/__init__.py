"""The whole pipeline: in one process, on the local engine, and by AWS's price list."""
