"""What `model.dockerfile` and `model.shell` are made of: lexing, spans, scopes, and taking commands out."""
