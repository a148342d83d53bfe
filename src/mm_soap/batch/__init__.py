"""Volume sending: the rows of a file, or of a folder of PDFs, each as a message of its own.

All rows are checked before the first is sent; the register is asked 1000 at a time who has a mailbox; what was done is
kept in a journal beside the file, so that a run that was stopped goes on where it was, and sends nothing twice.
"""
