"""Pure functions from the model to what the screen shows: lines of content, never widgets."""
