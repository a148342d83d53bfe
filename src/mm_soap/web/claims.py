"""The names that OpenID Connect in Sweden has for e-identification (https://www.oidc.se)."""

from __future__ import annotations

from typing import Final

NAME_CLAIM: Final = "name"
SIGN_REQUEST: Final = "https://id.oidc.se/param/signRequest"
"""The parameter of a request that asks for a signature: JSON with ``tbs_data``, base64 of the text."""
SIGNATURE_CLAIM: Final = "https://id.oidc.se/claim/userSignature"
CERTIFICATE_CLAIM: Final = "https://id.oidc.se/claim/userCertificate"
