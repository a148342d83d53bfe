"""Organisation identities and the trust store."""

from mm_soap.pki.callers import CallerCertificates
from mm_soap.pki.certificates import (
    TEST_CA_MARK,
    is_test_certificate,
    load_certificate,
    organisation_number,
    read_certificates,
    subject_name,
)
from mm_soap.pki.identity import Identity
from mm_soap.pki.trust import OrganisationCertificate, TrustStore

__all__ = [
    "TEST_CA_MARK",
    "CallerCertificates",
    "Identity",
    "OrganisationCertificate",
    "TrustStore",
    "is_test_certificate",
    "load_certificate",
    "organisation_number",
    "read_certificates",
    "subject_name",
]
