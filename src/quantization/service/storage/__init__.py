"""S3, as the functions use it: uploads, summaries and results."""
