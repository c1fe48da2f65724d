"""What the functions are made of besides the core: messages, storage, start-up."""
