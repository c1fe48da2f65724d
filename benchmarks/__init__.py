"""Commands that measure the service beside its baseline and its peers: ``make benchmark-NAME``."""
