"""The bench: each stage alone, the bound that follows, the whole, and how others do."""
