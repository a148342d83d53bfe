"""Whether certificates are revoked: by lists and by OCSP, known before a call needs it."""
