"""`imagemill jobs`: list, show, watch, cancel, resume, retry and delete."""
