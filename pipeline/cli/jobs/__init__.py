"""`imagemill jobs`: list, show and delete."""
