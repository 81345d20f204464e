"""What CI runs: every check of the repository, each role alone, the whole lab."""
