"""`imagemill doctor`: the command and its checks."""
