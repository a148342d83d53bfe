"""The web pages: server-rendered, without scripts, and with nothing from elsewhere."""

from mm_soap.web.application import create_app

__all__ = ["create_app"]
