"""The service's cores beside other programs that reduce colors."""
