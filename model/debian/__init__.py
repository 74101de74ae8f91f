"""What Debian's packages are for, and edits of the lists that apt installs."""
