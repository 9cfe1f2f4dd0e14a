"""`imagemill run`: the command, its progress and its report."""
