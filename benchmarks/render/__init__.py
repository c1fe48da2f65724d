"""What rendering costs, beside the original script and a bare decode."""
