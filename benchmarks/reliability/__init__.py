"""Hostile input in bulk."""
