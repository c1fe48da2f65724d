"""What rendering costs, beside the seed's way and a bare decode."""
