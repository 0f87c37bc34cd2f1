"""Log files in, stored queries out."""
