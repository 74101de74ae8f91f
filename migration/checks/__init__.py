"""The checks of a verification, one a file: what each one found becomes results with stable ids. Pure."""
