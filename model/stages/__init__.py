"""How stages are divided into builder and runtime, and who owns what is copied."""
