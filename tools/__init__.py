"""What makes files of this repository anew, and deletes a stack."""
