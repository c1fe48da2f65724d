"""The page that lies beside a result, for people who would rather look."""
