"""Scripts that run inside images, with the image's own Python and nothing but its standard library (3.8+)."""
