"""The engine: backlog, forward threads, requests, its layout, and the loop that wires them."""
