"""The pages of the test bed."""

from __future__ import annotations

import re
from typing import Final

from flask import Blueprint, Response, abort, make_response, render_template, request
from flask_wtf import CSRFProtect

from mm_soap.testbed.authority import LONGEST_REQUEST, RequestRefused
from mm_soap.testbed.enrolment import Enrolled, Enrolment
from mm_soap.testbed.service import TestbedService, shortened

_REFRESH_LIST: Final = 10
_REFRESH_PAGE: Final = 3
_ORGANISATION: Final = re.compile("16[0-9]{10}")
_PEM: Final = "application/x-pem-file"


def testbed_pages(testbed: TestbedService, enrolment: Enrolment, csrf: CSRFProtect, anchors: bytes) -> Blueprint:
    """Return the pages below ``/testbed``.

    Args:
        testbed: what arrived.
        enrolment: hands out certificates.
        csrf: protects forms; what programs post to is exempt, since it knows neither cookie nor session.
        anchors: PEM, the authorities that are trusted.
    """
    pages = Blueprint("testbed", __name__)

    @pages.get("", strict_slashes=False)
    def arrived() -> Response:
        sender = request.args.get("sender", "").strip()
        wrong = bool(sender) and not _ORGANISATION.fullmatch(sender)
        live = request.args.get("refresh") != "off"
        listing = testbed.arrived(None if wrong else sender or None)
        page = render_template("testbed/list.html", listing=listing, sender=sender, wrong=wrong, live=live)
        return _refreshing(page, _REFRESH_LIST if live else 0)

    @pages.get("/<int:key>")
    def shown(key: int) -> Response:
        found = testbed.show(key) if key < 2**63 else None
        if found is None:
            abort(404)
        live = not found.ended and request.args.get("refresh") != "off"
        page = render_template("testbed/arrival.html", shown=found, live=live, shortened=shortened)
        return _refreshing(page, _REFRESH_PAGE if live else 0)

    @pages.get("/certificate")
    def certificate() -> str:
        return render_template("testbed/certificate.html", csr="", enrolled=None, refused="")

    @pages.post("/certificate")
    def certificate_asked() -> tuple[str, int]:
        csr, enrolled, refused = request.form.get("csr", "").strip(), None, ""
        try:
            enrolled = enrolment.enrol(csr.encode())
        except RequestRefused as error:
            refused = str(error)
        page = render_template("testbed/certificate.html", csr=csr, enrolled=enrolled, refused=refused)
        return page, 400 if refused else 200

    @pages.post("/certificates")
    @csrf.exempt  # type: ignore[untyped-decorator]
    def certificates() -> Response:
        """Answer a certificate request in the body, PEM or DER, with the certificate and its issuer's."""
        try:
            enrolled: Enrolled = enrolment.enrol(request.get_data()[: LONGEST_REQUEST + 1])
        except RequestRefused as error:
            return make_response(f"{error}\n", 400, {"Content-Type": "text/plain; charset=utf-8"})
        return make_response(enrolled.chain, 200, {"Content-Type": _PEM})

    @pages.get("/ca.pem")
    def authorities() -> Response:
        return make_response(anchors, 200, {"Content-Type": _PEM})

    return pages


def _refreshing(page: str, seconds: int) -> Response:
    response = make_response(page)
    if seconds:
        response.headers["Refresh"] = str(seconds)
    return response
