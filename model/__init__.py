"""Pure data and text: no I/O, no process, no Textual."""
