"""The HTTP interface and the page: what other programs and people's browsers ask of imagemill."""
