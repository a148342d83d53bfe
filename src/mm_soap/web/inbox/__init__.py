"""The inbox that recipients use in a browser: one Flask application for each mailbox operator."""
