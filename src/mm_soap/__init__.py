"""Secure digital post over SOAP: address register, dispatcher and mailbox operator."""
