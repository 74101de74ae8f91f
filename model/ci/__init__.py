"""The parts of a light Dockerfile for tests and scans, and of the check that it does not drift."""
