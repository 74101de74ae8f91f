"""What a Dockerfile installs with pip and uv, where to, and what the application imports."""
