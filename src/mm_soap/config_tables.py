"""What can be set: the settings of an installation and their tables, each with its meaning and its bounds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from mm_soap.config_channels import (
    ChannelSettings,
    EmailSettings,
    NoticeSettings,
    OperatorEmailSettings,
    OperatorSmsSettings,
    PrintSettings,
    SmsSettings,
)
from mm_soap.config_engine import EngineSettings
from mm_soap.config_evidence import EvidenceSettings
from mm_soap.config_mailboxes import BlobSettings, RetentionSettings
from mm_soap.config_policy import DispatcherRules
from mm_soap.config_revocation import RevocationSettings
from mm_soap.config_signing import SigningSettings
from mm_soap.config_tls import TlsSettings
from mm_soap.config_types import Database, File, OptionalFile, Organisation, Table, Url, UrlPath
from mm_soap.config_web import TestIdpSettings, WebSettings

ENVIRONMENT_PREFIX: Final = "MM_SOAP_"
"""What the names of the environment variables begin with that override settings."""

_DATABASE: Final = "The party's own database: a file for SQLite, made when it is not there, or a URL."
_REGISTER: Final = "Where the register is: the URL before /Recipient/v3 and /Authority. Empty for this installation."

_REGISTER_TIMEOUT: Final = "How long the register may take for its whole answer, in seconds."
_PARTY_CACHE: Final = "How old the register's lists of senders and dispatchers may be, in seconds."
_PARTY_GRACE: Final = "How much older they may be while the register is away, in seconds."
_ASK_AGAIN: Final = "Whether the register is asked again before a party is refused that was not remembered."


def _distinct(what: str, values: list[str]) -> None:
    if len(set(values)) < len(values):
        raise PydanticCustomError("distinct", "{what} must be its own", {"what": what})


class TrustSettings(Table):
    """[trust]: whose signatures are believed."""

    anchors: tuple[File, ...] = Field(
        default=(),
        description="PEM files: the authorities, or single certificates, whose signatures are believed.",
    )
    allow_sha1_from: tuple[Organisation, ...] = Field(
        default=(), description="Organisation numbers of the senders whose signatures may still use SHA-1."
    )
    expiry_warning_days: int = Field(
        default=30, ge=0, description="How many days before a certificate expires it is reported."
    )


class RulesSettings(Table):
    """[rules]: what a message must look like."""

    max_message_bytes: int = Field(
        default=2_097_152,
        gt=0,
        description="The longest message, in bytes: bodies and attachments, decoded.",
    )
    check_digits: bool = Field(default=True, description="Whether the check digit of identifiers is checked.")


class CompaniesSettings(Table):
    """[far.companies]: the company register. Without this table there is none, and companies get 5018."""

    file: OptionalFile = Field(default="", description="JSON file with the companies; empty if url is set.")
    url: Url = Field(
        default="", description="Where the company register is asked over HTTP: the URL before /NUMBER and /search."
    )
    timeout: float = Field(default=5, gt=0, description="How long the company register may take, in seconds.")
    cache_seconds: float = Field(default=300, ge=0, description="How long a company is remembered, in seconds.")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if bool(self.file) == bool(self.url):
            raise PydanticCustomError("one_source", "must have either file or url")
        return self


class PersonsSettings(Table):
    """[far.persons]: the population register. Without this table, a number's own day of birth is all that is known."""

    file: File = Field(description="JSON file with the persons.")


class FarSettings(Table):
    """[far]: the address register. Without this table, the register does not run here."""

    database: Database = Field(default="data/far.sqlite3", repr=False, description=_DATABASE)
    e_identification_anchors: tuple[File, ...] = Field(
        default=(),
        description="PEM files: the e-identification issuers whose users may sign. Empty refuses all signatures.",
    )
    signatures_once: bool = Field(
        default=True,
        description="Whether a user's signature counts for one request alone. Production has no other way.",
    )
    companies: CompaniesSettings | None = None
    persons: PersonsSettings | None = None


class DispatcherSettings(SigningSettings, DispatcherRules):
    """[dispatcher]: the dispatcher. Without this table, none runs here."""

    database: Database = Field(default="data/dispatcher.sqlite3", repr=False, description=_DATABASE)
    register_url: Url = Field(default="", description=_REGISTER)
    look_up_batch: int = Field(
        default=1000,
        gt=0,
        le=1000,
        description="How many recipients are looked up in one call, at most.",
    )
    address_age: float = Field(
        default=900,
        gt=0,
        description="How old a recipient's address may be when a delivery is tried, in seconds; then it is asked anew.",
    )
    register_timeout: float = Field(default=30, gt=0, description=_REGISTER_TIMEOUT)
    party_cache: float = Field(default=60, ge=0, description=_PARTY_CACHE)
    party_grace: float = Field(default=600, ge=0, description=_PARTY_GRACE)
    ask_again: bool = Field(default=False, description=_ASK_AGAIN)
    engine: EngineSettings = Field(default_factory=EngineSettings)
    channels: tuple[ChannelSettings, ...] = ()
    email: EmailSettings | None = None
    sms: SmsSettings | None = None
    print: PrintSettings | None = None

    @model_validator(mode="after")
    def _one_plan_each(self) -> Self:
        _distinct("the sender of each [[dispatcher.channels]]", [one.sender for one in self.channels])
        return self

    @property
    def longest_step(self) -> float:
        """How long the calls of one step of a delivery may take, in seconds."""
        policies = (self.policy, *self.operator_policy)
        return self.register_timeout + max(each.connect_timeout + each.answer_timeout for each in policies)


class OperatorSettings(SigningSettings):
    """[[operator]]: a mailbox operator; one table for each that runs here."""

    name: str = Field(min_length=1, description="The operator's name, as in the register.")
    database: Database = Field(repr=False, description=_DATABASE)
    path: UrlPath = Field(
        default="",
        description="What stands before /Service/v3 in the operator's address, such as /brevlada-tva; empty for none.",
    )
    register_url: Url = Field(default="", description=_REGISTER)
    register_timeout: float = Field(default=30, gt=0, description=_REGISTER_TIMEOUT)
    party_cache: float = Field(default=60, ge=0, description=_PARTY_CACHE)
    party_grace: float = Field(default=600, ge=0, description=_PARTY_GRACE)
    ask_again: bool = Field(default=False, description=_ASK_AGAIN)
    register_check: float = Field(
        default=3600,
        gt=0,
        description="How often the register is asked whose mailboxes have ended or moved, in seconds; first at the "
        "start. Mailboxes that end at this operator's own pages are closed at once.",
    )
    web: WebSettings | None = None
    email: OperatorEmailSettings | None = None
    sms: OperatorSmsSettings | None = None
    notices: NoticeSettings = Field(default_factory=NoticeSettings)
    blobs: BlobSettings = Field(default_factory=BlobSettings)
    retention: RetentionSettings = Field(default_factory=RetentionSettings)


class SenderSettings(SigningSettings):
    """[[sender]]: a sender that `mm-soap send` may sign for; one table for each."""

    name: str = Field(min_length=2, max_length=256, description="The sender's name, as its messages show it.")
    dispatcher_url: Url = Field(
        default="", description="Where its dispatcher is: the URL before /Message/v3. Empty for this installation."
    )
    register_url: Url = Field(default="", description=_REGISTER)


class TestbedSettings(Table):
    """[testbed]: what `mm-soap serve --testbed` adds; without that option nothing of it is used."""

    __test__ = False  # not a test class, whatever its name says to pytest

    certificate: File = Field(
        default=Path("pki/testbed-ca.pem"),
        description="PEM file: the test bed's own authority, made when it is not there.",
    )
    key: File = Field(
        default=Path("pki/testbed-ca.key"),
        description="PEM file: the authority's private key, made with it, readable by its owner alone.",
    )
    database: Database = Field(
        default="data/testbed.sqlite3", repr=False, description="What arrived: a file for SQLite, or a URL."
    )
    certificate_days: int = Field(
        default=30, gt=0, le=365, description="How long a certificate that the test bed hands out is valid, in days."
    )
    certificates_per_hour: int = Field(
        default=60, gt=0, description="How many certificates the test bed hands out in an hour, at most."
    )


class Settings(BaseSettings):
    """All settings of an installation. `mm_soap.config.load` is the way to make one.

    Paths are absolute: a relative one in the file, or in a variable, is taken from the folder of the file.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        validate_default=True,
        env_prefix=ENVIRONMENT_PREFIX,
        env_nested_delimiter="__",
    )

    profile: Literal["demonstration", "production"] = Field(
        default="production", description="Production refuses to start with what only a demonstration may have."
    )
    host: str = Field(default="127.0.0.1", min_length=1, description="The address to listen on.")
    port: int = Field(default=8080, gt=0, lt=65_536, description="The TCP port to listen on.")
    public_url: Url = Field(
        default="",
        description="The URL that others reach this server by; it stands in the WSDLs. Empty for host and port.",
    )
    threads: int = Field(default=16, gt=0, description="How many requests one worker process answers at once.")
    workers: int = Field(default=1, gt=0, description="How many worker processes answer requests.")
    processors: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        default=(),
        description="The processors that worker processes run on, each on one of them; any, where none is named.",
    )
    body_limit: int = Field(default=8_388_608, gt=0, description="The longest request body that is read, in bytes.")
    trust: TrustSettings = Field(default_factory=TrustSettings)
    rules: RulesSettings = Field(default_factory=RulesSettings)
    evidence: EvidenceSettings = Field(default_factory=EvidenceSettings)
    tls: TlsSettings | None = None
    revocation: RevocationSettings | None = None
    far: FarSettings | None = None
    dispatcher: DispatcherSettings | None = None
    operator: tuple[OperatorSettings, ...] = ()
    sender: tuple[SenderSettings, ...] = ()
    testbed: TestbedSettings = Field(default_factory=TestbedSettings)
    test_idp: TestIdpSettings | None = None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file, and nothing else count."""
        return env_settings, init_settings

    @model_validator(mode="after")
    def _parties_apart(self) -> Self:
        for what in ("organisation", "path"):
            _distinct(f"the {what} of each [[operator]]", [getattr(o, what) for o in self.operator])
        _distinct("the organisation of each [[sender]]", [sender.organisation for sender in self.sender])
        parties = [p for p in (self.far, self.dispatcher, *self.operator, self.testbed) if p]
        _distinct("the database of each party", [p.database for p in parties])
        return self

    @property
    def base_url(self) -> str:
        """The URL by which others reach this server, without a slash at its end."""
        if self.public_url:
            return self.public_url
        # What listens on every address is reached at this one from the same machine.
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104
        scheme = "https" if self.tls and self.tls.certificate else "http"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"

    def register_url(self, party: DispatcherSettings | OperatorSettings | SenderSettings) -> str:
        """Return where a party finds the register: the URL before /Recipient/v3 and /Authority."""
        return party.register_url or self.base_url
