"""The demo model: a checkpoint of our own, and the pictures it is trained on and tried with."""
