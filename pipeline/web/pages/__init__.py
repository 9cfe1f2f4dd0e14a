"""The page: what people see in a browser, rendered here, one file per noun."""
