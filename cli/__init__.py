"""The same verbs without a terminal UI: JSON on stdout, narration on stderr."""
