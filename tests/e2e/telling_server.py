"""mm-soap with every logger at DEBUG, and with errors that nobody expected where a message asks for one.

Runs as ``python -m tests.e2e.telling_server serve --config FILE``. What is raised has all of the message in its text.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from typing import Any

from mm_soap import bootstrap
from mm_soap.cli import main
from mm_soap.dispatcher import handover
from mm_soap.dispatcher import service as dispatcher
from mm_soap.recipient import wire
from mm_soap.service_supplier import service as operator
from mm_soap.testing.written_signatures import WrittenSignatures
from tests.integration.register import world

AT_DISPATCHER, AT_OPERATOR, AT_HAND_OVER, AT_REGISTER = "Krasch-1", "Krasch-2", "Krasch-3", world.NOBODY


def crashing(function: Callable[..., Any], word: str) -> Callable[..., Any]:
    """Return the function, which raises when what it returns, or what it gets, has a word in it."""

    def crash(*arguments: Any, **named: Any) -> Any:
        found = function(*arguments, **named)
        said = repr((asdict(found) if is_dataclass(found) else found, arguments))
        if word in said:
            try:
                raise KeyError(said)
            except KeyError as error:
                raise ValueError(said) from error
        return found

    return crash


def tell_everything() -> None:
    """Change what the command will load."""
    begin = logging.basicConfig
    logging.basicConfig = lambda **options: begin(**{**options, "level": logging.DEBUG})  # type: ignore[assignment]
    bootstrap.UserSignatureVerifier.load = classmethod(lambda *_: WrittenSignatures())  # type: ignore[method-assign,assignment]
    dispatcher.read_delivery = crashing(dispatcher.read_delivery, AT_DISPATCHER)
    handover.deliver_secure_request = crashing(handover.deliver_secure_request, AT_HAND_OVER)
    operator.read_delivery = crashing(operator.read_delivery, AT_OPERATOR)
    wire.read_ids = crashing(wire.read_ids, AT_REGISTER)


if __name__ == "__main__":
    tell_everything()
    main()
