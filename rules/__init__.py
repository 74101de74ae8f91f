"""One migration per file, named by what it does; found by discovery."""
