"""The role sender: the kit listens as dispatcher and as mailbox operator, and explains what comes."""
