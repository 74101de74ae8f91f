"""Which places of a repository build an image, and how to point them elsewhere: workflows, compose, scripts."""
