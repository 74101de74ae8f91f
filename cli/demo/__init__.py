"""The sample repository of `phasewise demo`, commit by commit."""
