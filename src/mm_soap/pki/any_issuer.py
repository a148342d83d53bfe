"""For tools that say what a signature shows, and leave it to others whom to trust. No party asks here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from cryptography import x509

from mm_soap.clock import Clock
from mm_soap.pki.certificates import organisation_number, within_dates
from mm_soap.pki.trust import OrganisationCertificate


@dataclass(frozen=True)
class AnyIssuer:
    """Takes every certificate that names an organisation; who issued it is not looked at.

    Args:
        clock: a certificate must be valid at its time; None to take those that are not, too.
    """

    clock: Clock | None = None

    def check(
        self,
        certificate: x509.Certificate,
        intermediates: Sequence[x509.Certificate] = (),
        received: date | None = None,
    ) -> OrganisationCertificate:
        """Return the organisation that the certificate names; the other arguments are those of `TrustStore.check`.

        Raises:
            Refused: ``CERTIFICATE_NOT_YET_VALID``, ``CERTIFICATE_EXPIRED`` or ``CERTIFICATE_NO_ORGANISATION``.
        """
        if self.clock is not None:
            within_dates(certificate, self.clock())
        return OrganisationCertificate(organisation_number(certificate), certificate)
