"""Everything that touches the world: git, the engine, and the session above them."""
