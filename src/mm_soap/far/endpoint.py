"""The operations of the Authority service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from mm_soap.far import wire
from mm_soap.far.callers import Callers
from mm_soap.far.rights import Rights, SignatureQuestions
from mm_soap.far.service import Register

if TYPE_CHECKING:
    from mm_soap.soap import Call, Handler

Answer = Callable[["Call"], bytes]


def authority_handlers(
    register: Register, callers: Callers, questions: SignatureQuestions, rights: Rights
) -> Mapping[str, Handler]:
    """Return what answers each operation of the Authority service, by its name.

    The lists are for any connected party, the rest for mailbox operators. Source: contract, services, Authority.

    Args:
        register: the senders and dispatchers.
        callers: who may call what.
        questions: whether signatures are enough.
        rights: what a person may do.
    """
    return {
        **_for(
            callers.check_party,
            {
                "getSenders": lambda _call: wire.senders_answer(register.get_senders()),
                "getDispatchers": lambda _call: wire.dispatchers_answer(register.get_dispatchers()),
                "isSenderAccepted": lambda call: wire.accepted_answer(
                    register.is_sender_accepted(wire.read_identity(call.payload))
                ),
            },
        ),
        **_for(
            callers.check_operator,
            {
                "testNewSigner": lambda call: _test_new_signer(questions, call),
                "verifyAuthorizedSignatures": lambda call: _verify(questions, call),
                "getUserAccessRights": lambda call: _rights(rights, call, with_consents=True),
                "getUserAccessRightsNoConcent": lambda call: _rights(rights, call, with_consents=False),
            },
        ),
    }


def _for(check: Callable[[str | None], None], answers: Mapping[str, Answer]) -> dict[str, Handler]:
    def checked(answer: Answer) -> Handler:
        def handle(call: Call) -> bytes:
            check(call.caller.organisation)
            return answer(call)

        return handle

    return {operation: checked(answer) for operation, answer in answers.items()}


def _test_new_signer(questions: SignatureQuestions, call: Call) -> bytes:
    found = questions.test_new_signer(
        wire.read_identity(call.payload),
        wire.read_signed(call.payload),
        wire.read_new_signer(call.payload),
        wire.read_action(call.payload),
    )
    return wire.authorization_answer(call.operation, found)


def _verify(questions: SignatureQuestions, call: Call) -> bytes:
    found = questions.verify(
        wire.read_identity(call.payload),
        wire.read_signatures(call.payload),
        wire.read_data(call.payload),
        wire.read_action(call.payload),
    )
    return wire.authorization_answer(call.operation, found)


def _rights(rights: Rights, call: Call, *, with_consents: bool) -> bytes:
    found = rights.of_user(wire.read_identity(call.payload), with_consents=with_consents)
    return wire.rights_answer(call.operation, found)
