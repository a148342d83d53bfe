"""spyne, made importable on Python 3.12 and later, quiet, and without its garbage collection every second.

Everything of spyne that mm-soap uses is imported from here.
"""

from __future__ import annotations

import importlib.util
import logging
import sys
import warnings
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class _VendoredSix:
    """Finds ``spyne.util.six.moves``.

    The six that spyne carries registers a finder with ``find_module`` alone. Python 3.12 no longer asks it, and 3.11
    warns at every later import of anything. This one takes its place.
    """

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if not name.startswith("spyne.util.six.moves"):
            return None
        known: dict[str, Any] = sys.modules["spyne.util.six"]._importer.known_modules
        if name not in known:
            return None
        return importlib.util.spec_from_loader(name, self, is_package=hasattr(known[name], "__path__"))  # type: ignore[arg-type]

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module: ModuleType = sys.modules["spyne.util.six"]._importer.load_module(spec.name)
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: six made the module ready."""


if not any(isinstance(finder, _VendoredSix) for finder in sys.meta_path):
    sys.meta_path.append(_VendoredSix())

with warnings.catch_warnings():
    # Its source has invalid escapes and imports cgi: nothing that a user of mm-soap can act on.
    warnings.simplefilter("ignore")
    from spyne import AnyXml, Application, Fault, Service, const, rpc
    from spyne.interface import InterfaceDocumentsBase
    from spyne.protocol.soap import Soap11
    from spyne.server.http import HttpTransportContext
    from spyne.server.wsgi import WsgiApplication, WsgiMethodContext

sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__ != "spyne.util.six"]

const.MIN_GC_INTERVAL = float("inf")  # else it runs a full collection every second


def silence_libraries() -> None:
    """Keep what spyne and signxml log out of every log: both write whole bodies, with personal numbers, in places."""
    for name in ("spyne", "signxml"):
        logger = logging.getLogger(name)
        logger.propagate = False
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())


__all__ = [
    "AnyXml",
    "Application",
    "Fault",
    "HttpTransportContext",
    "InterfaceDocumentsBase",
    "Service",
    "Soap11",
    "WsgiApplication",
    "WsgiMethodContext",
    "rpc",
    "silence_libraries",
]
