"""What a student inherited: audit and harden. Import from the files; nothing here imports PyTorch by itself."""
