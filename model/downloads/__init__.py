"""What a RUN downloads, where tools keep that, and how a cache mount takes it."""
