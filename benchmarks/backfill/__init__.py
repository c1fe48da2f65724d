"""Backfills: millions of objects simulated, some thousand of them run on the local engine."""
