"""Whether certificates are revoked: by lists and by OCSP, known before a call needs it."""

from mm_soap.revocation.addresses import Addresses, IssuerSources
from mm_soap.revocation.cache import Folder
from mm_soap.revocation.keeper import Revocation
from mm_soap.revocation.model import Revoked, Rules, Standing
from mm_soap.revocation.watched import WatchedPath

__all__ = ["Addresses", "Folder", "IssuerSources", "Revocation", "Revoked", "Rules", "Standing", "WatchedPath"]
