"""Clean-up inside RUNs: what deletes, whether that has an effect, and where it would."""
