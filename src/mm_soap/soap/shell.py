"""The SOAP shell: one port of the contract as a WSGI application over spyne.

spyne keeps the operations, the context of a call and the place of each step. What it would do with the bytes is
replaced: one read, one parse by `mm_soap.xml`, one validation in place, and an answer that is spliced, not rebuilt.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from lxml import etree

from mm_soap.contract import OperationContract, Port, validate
from mm_soap.errors import ConfigurationError, Refusal, Refused
from mm_soap.soap import _spyne, envelope
from mm_soap.soap.callers import Identify, address_of, anonymous
from mm_soap.soap.hooks import Hooks
from mm_soap.soap.metrics import Metrics
from mm_soap.soap.model import (
    Answer,
    Call,
    Caller,
    Handler,
    Precheck,
    ProvenAnswer,
    RefusedHook,
    SentHook,
    Shorten,
    Shortened,
    StartResponse,
    Wsgi,
)
from mm_soap.soap.report import Progress, log_bad_answer, log_call, log_unexpected
from mm_soap.soap.request import HttpError, check_markup, read_request, to_utf8
from mm_soap.xml import parse_untrusted

_XML: Final = "text/xml; charset=utf-8"


def soap_application(
    port: Port,
    handlers: Mapping[str, Handler],
    *,
    published: bytes,
    body_limit: int,
    refused: RefusedHook | None = None,
    as_sent: SentHook | None = None,
    prechecks: Mapping[str, Precheck] | None = None,
    identify: Identify = anonymous,
    metrics: Metrics | None = None,
    shorten: Shorten | None = None,
) -> Wsgi:
    """Return the WSGI application that serves one port.

    Args:
        port: the port, from `mm_soap.contract.ports`.
        handlers: by operation name. An operation without one answers ``NOT_IMPLEMENTED``.
        published: the WSDL for ``GET ?wsdl``, from `mm_soap.contract.wsdl`.
        body_limit: in bytes; a longer request gets HTTP 413.
        refused: told of every refusal, also by HTTP, for evidence. What it raises changes no answer.
        as_sent: told of what comes in another encoding than UTF-8, for evidence. What it raises refuses the call.
        prechecks: by operation name; called before the schema is asked.
        identify: tells who calls from the WSGI environment; the default knows the address alone.
        metrics: counts calls, where given.
        shorten: takes repetitions out of requests, where given.
    """
    unknown = (set(handlers) | set(prechecks or ())) - set(port.operations)
    if unknown:
        raise ConfigurationError(f"{port.name} has no operation {', '.join(sorted(unknown))}")
    _spyne.silence_libraries()
    settings = _Settings(port, published, body_limit, Hooks(refused, as_sent), identify, metrics, shorten)
    application: Wsgi = _Server(_application(port, handlers, prechecks or {}), settings)
    return application


@dataclass(frozen=True)
class _Settings:
    port: Port
    published: bytes
    body_limit: int
    hooks: Hooks
    identify: Identify
    metrics: Metrics | None
    shorten: Shorten | None


class _Transport(_spyne.HttpTransportContext):  # type: ignore[misc]
    """spyne's context of an HTTP call, without the copy of every header that it would make and log."""


class _Context(_spyne.WsgiMethodContext):  # type: ignore[misc]
    """spyne's context of a call, without its check of the name at each of some fifty assignments."""

    HttpTransportContext = _Transport
    __setattr__ = object.__setattr__


class _Protocol(_spyne.Soap11):  # type: ignore[misc]
    """SOAP 1.1 with elements in and elements out."""

    def __init__(self, prechecks: Mapping[str, Precheck]) -> None:
        super().__init__()
        self.prechecks = prechecks
        self.by_input: dict[str, tuple[OperationContract, Any]] = {}

    def takes(self, ctx: Any, shortened: Shortened) -> bool:
        """Read a shortened request. False where it cannot stand for the whole, or the whole would be refused."""
        try:
            ctx.in_document = parse_untrusted(shortened.content)
            self.decompose_incoming_envelope(ctx)
            payload = ctx.in_body_doc
            if payload.tag != shortened.element or not shortened.stands_in(payload, shortened.values):
                return False
            self.generate_method_contexts(ctx)
            validate(payload)
        except Refused:
            ctx.udc.operation = None
            return False
        progress: Progress = ctx.udc
        assert progress.operation is not None
        name = progress.operation.name
        ctx.in_object = [Call(progress.call_id, name, progress.caller, progress.raw, payload, shortened.values)]
        return True

    def create_in_document(self, ctx: Any, charset: str | None = None) -> None:
        progress: Progress = ctx.udc
        ctx.in_document = parse_untrusted(progress.raw)

    def decompose_incoming_envelope(self, ctx: Any, message: Any = None) -> None:
        ctx.in_body_doc = envelope.payload_of(ctx.in_document)
        ctx.method_request_string = ctx.in_body_doc.tag

    def generate_method_contexts(self, ctx: Any) -> list[Any]:
        # spyne looks in one namespace; the operations of a port stand in several.
        found = self.by_input.get(ctx.method_request_string)
        if found is None:
            raise Refused(Refusal.UNKNOWN_OPERATION)
        ctx.udc.operation, ctx.descriptor = found
        return [ctx]

    def deserialize(self, ctx: Any, message: Any) -> None:
        progress: Progress = ctx.udc
        assert progress.operation is not None
        name = progress.operation.name
        precheck = self.prechecks.get(name)
        if precheck is not None:
            precheck(ctx.in_body_doc)
        validate(ctx.in_body_doc)
        ctx.in_object = [Call(progress.call_id, name, progress.caller, progress.raw, ctx.in_body_doc)]

    def serialize(self, ctx: Any, message: Any) -> None:
        (answer,) = ctx.out_object
        if isinstance(answer, ProvenAnswer) and answer.element == ctx.udc.operation.output:
            ctx.out_string = [envelope.wrap_parts(answer.parts)]
            return
        ctx.out_document = parse_untrusted(answer) if isinstance(answer, bytes) else answer
        if not isinstance(ctx.out_document, etree._Element) or ctx.out_document.tag != ctx.udc.operation.output:
            raise Refused(Refusal.SCHEMA_VIOLATION, "another element than the operation answers with")
        validate(ctx.out_document)
        ctx.out_string = [envelope.wrap(answer)]


class _Application(_spyne.Application):  # type: ignore[misc]
    def process_request(self, ctx: Any) -> None:
        # spyne would log the text of whatever a handler raises; the server below decides what is said of it.
        ctx.out_object = [self.call_wrapper(ctx)]


class _Server(_spyne.WsgiApplication):  # type: ignore[misc]
    def __init__(self, app: _Application, settings: _Settings) -> None:
        super().__init__(app, chunked=False, max_content_length=settings.body_limit)
        self.settings = settings

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
        method = environ["REQUEST_METHOD"]
        try:
            if method == "POST":
                return self.handle_rpc(environ, start_response)
            if method not in ("GET", "HEAD") or not self.is_wsdl_request(environ):
                raise HttpError(405, "Send a SOAP request by POST, or GET with ?wsdl.", (("Allow", "GET, POST"),))
            return self.handle_wsdl_request(environ, start_response)
        except HttpError as error:
            if self.settings.metrics is not None and method == "POST":
                self.settings.metrics.count(self.settings.port.name, "-", f"http{error.code}", 0.0)
            return error.answer(start_response)

    def is_wsdl_request(self, environ: dict[str, Any]) -> bool:
        query = str(environ.get("QUERY_STRING") or "")
        return query.partition("=")[0].lower() == "wsdl"

    def handle_wsdl_request(
        self, environ: dict[str, Any], start_response: StartResponse, url: str | None = None
    ) -> list[bytes]:
        body = self.settings.published
        start_response("200 OK", [("Content-Type", _XML), ("Content-Length", str(len(body)))])
        return [body]

    def handle_rpc(self, environ: dict[str, Any], start_response: StartResponse) -> list[bytes]:
        progress = Progress(self.settings.port.name, Caller(None, address_of(environ)))
        environ["mm_soap.call_id"] = progress.call_id  # for what stands around this application
        try:
            progress.raw, charset = read_request(environ, self.settings.body_limit)
        except HttpError as error:
            progress.raw = error.sent
            with suppress(Refused):
                progress.caller = self.settings.identify(environ)
            self.settings.hooks.tell_refused(progress, error)
            raise
        ctx = _Context(self, environ, _XML)
        ctx.udc = progress
        status, code = "200 OK", 0
        try:
            progress.caller = self.settings.identify(environ)
            body = self._answer(ctx, charset)
        except Exception as error:
            refused = self._refusal(error, progress)
            status, code = "500 Internal Server Error", refused.refusal.code
            body = envelope.fault(refused, progress.call_id, self.settings.port.fault_element(progress.operation_name))
        seconds = time.perf_counter() - progress.started
        log_call(progress, code, seconds)
        if self.settings.metrics is not None:
            self.settings.metrics.count(progress.port, progress.operation_name or "-", str(code), seconds)
        start_response(status, [("Content-Type", _XML), ("Content-Length", str(len(body)))])
        ctx.close()
        # A context and its parts refer to each other. Left so, they would hold the bytes of this call, some megabytes,
        # until the next collection.
        ctx.__dict__.clear()
        return [body]

    def _answer(self, ctx: Any, charset: str | None) -> bytes:
        requests, answers = self.app.in_protocol, self.app.out_protocol
        progress: Progress = ctx.udc
        sent, progress.raw = progress.raw, to_utf8(progress.raw, charset)
        self.settings.hooks.tell_converted(progress, sent)
        check_markup(progress.raw)
        shortened = self.settings.shorten(progress.raw) if self.settings.shorten is not None else None
        if shortened is None or not requests.takes(ctx, shortened):
            requests.create_in_document(ctx)
            requests.decompose_incoming_envelope(ctx)
            requests.generate_method_contexts(ctx)
            requests.deserialize(ctx, requests.REQUEST)
        self.app.process_request(ctx)
        try:
            answers.serialize(ctx, answers.RESPONSE)
        except Refused as refused:
            log_bad_answer(ctx.udc, refused.where or refused.refusal.name)
            raise Refused(Refusal.UNEXPECTED) from None
        answer: bytes = ctx.out_string[0]
        return answer

    def _refusal(self, error: Exception, progress: Progress) -> Refused:
        if isinstance(error, Refused):
            refused = error
        else:
            log_unexpected(error, progress)
            refused = Refused(Refusal.UNEXPECTED)
        self.settings.hooks.tell_refused(progress, refused)
        return refused


def _application(port: Port, handlers: Mapping[str, Handler], prechecks: Mapping[str, Precheck]) -> _Application:
    def not_implemented(call: Call) -> bytes:
        raise Refused(Refusal.NOT_IMPLEMENTED)

    def declared(operation: OperationContract) -> Any:
        handler = handlers.get(operation.name, not_implemented)

        def function(ctx: Any, call: Call) -> Answer:
            return handler(call)

        function.__name__ = operation.name  # spyne tells methods apart by the function's name
        return _spyne.rpc(
            _spyne.AnyXml,
            _returns=_spyne.AnyXml,
            _body_style="bare",
            _in_message_name=operation.input,
            _out_message_name=operation.output,
        )(function)

    members = {operation.name: declared(operation) for operation in port.operations.values()}
    service = type(_spyne.Service)(port.service, (_spyne.Service,), members)
    protocol = _Protocol(prechecks)
    namespace = next(iter(port.operations.values())).input[1:].partition("}")[0]
    application = _Application(
        [service],
        namespace,
        name=port.service,
        in_protocol=protocol,
        out_protocol=_Protocol({}),
        documents_container=lambda interface: _spyne.InterfaceDocumentsBase(interface, None),
    )
    protocol.by_input = {
        operation.input: (operation, service.public_methods[operation.name]) for operation in port.operations.values()
    }
    return application
