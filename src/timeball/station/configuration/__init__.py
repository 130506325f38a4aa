"""Settings: what they are, how a file is read strictly, and the rules between them."""
