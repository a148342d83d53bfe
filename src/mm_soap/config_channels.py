"""What can be set of the channels besides the mailbox: `[[dispatcher.channels]]` and a table for each channel."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from mm_soap.config_types import EmailAddress, File, OptionalFile, Organisation, SmsName, Table, Url

_GIVE_UP: Final = "How long it is tried before the message takes the next channel, in seconds."
_TIMEOUT: Final = "How long an answer may take, in seconds."
_LOGIN_FILE: Final = "File: the password in its first line, readable by its owner alone. Empty for none."
_ANCHORS: Final = "PEM file: the authorities whose certificates are trusted there. Empty for the system's."


class MailServerSettings(Table):
    """A mail server that takes e-mail from here."""

    host: str = Field(min_length=1, description="The mail server's name.")
    port: int = Field(default=587, gt=0, lt=65_536, description="Its TCP port.")
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="How the connection is protected. Production has no plain one."
    )
    anchors: OptionalFile = Field(default="", description=_ANCHORS)
    user: str = Field(default="", description="The user to log in as. Empty for no login.")
    password_file: OptionalFile = Field(default="", description=_LOGIN_FILE)
    timeout: float = Field(default=30, gt=0, description=_TIMEOUT)


class EmailSettings(MailServerSettings):
    """[dispatcher.email]: the mail server. Without this table nothing goes by e-mail."""

    give_up_after: float = Field(default=86_400, gt=0, description=_GIVE_UP)


class OperatorEmailSettings(MailServerSettings):
    """[operator.email]: the mail server that tells recipients of post. Without this table nobody is told by e-mail."""

    sender: EmailAddress = Field(
        min_length=3, description="The address that it is from. Answers go to the one that the message names."
    )


class NoticeSettings(Table):
    """[operator.notices]: how recipients are told that secure post came."""

    channels: tuple[Literal["EMail", "SMS"], ...] = Field(
        default=("EMail", "SMS"),
        description="By which channels, of those that there are and that a recipient wants. Empty: nobody is told.",
    )
    collect_seconds: float = Field(
        default=300,
        ge=0,
        le=86_400,
        description="How long deliveries are collected for one notice, from the first one, in seconds.",
    )
    name_senders: bool = Field(
        default=False, description="Whether it says from whom post came. That may be sensitive by itself."
    )
    refusals: int = Field(
        default=3, ge=1, description="How many in a row an address may refuse for good; then nothing is sent there."
    )
    inbox_url: Url = Field(default="", description="Where post is read. Empty for the own pages, if there are any.")
    settings_url: Url = Field(
        default="", description="Where notices are turned off. Empty for the own pages, if there are any."
    )


class SmsGatewaySettings(Table):
    """An SMS gateway, 46elks or one that speaks as it does."""

    url: Url = Field(default="https://api.46elks.com/a1", description="Where it is: the URL before /sms.")
    anchors: OptionalFile = Field(default="", description=_ANCHORS)
    user: str = Field(min_length=1, description="The API's user name.")
    password_file: File = Field(description="File: the API's password in its first line, readable by its owner alone.")
    timeout: float = Field(default=30, gt=0, description=_TIMEOUT)


class SmsSettings(SmsGatewaySettings):
    """[dispatcher.sms]: the SMS gateway. Without this table there is none."""

    longest: int = Field(default=600, gt=0, le=1600, description="How many characters a text message may have.")
    give_up_after: float = Field(default=86_400, gt=0, description=_GIVE_UP)


class OperatorSmsSettings(SmsGatewaySettings):
    """[operator.sms]: the SMS gateway that tells recipients of post. Without this table nobody is told by SMS."""

    sender: SmsName = Field(
        default="",
        description="Who notices of secure post are from: at most 11 letters and digits, or a number with +. Empty: "
        "none by SMS.",
    )


class PrintSettings(Table):
    """[dispatcher.print]: the print supplier. Without this table nothing is printed."""

    folder: File = Field(description="The folder of jobs and acknowledgements, made when it is not there.")
    acknowledge_within: float = Field(
        default=1_209_600,
        gt=0,
        description="How long the print supplier may take to acknowledge a job, in seconds; after that it has failed.",
    )
    give_up_after: float = Field(default=86_400, gt=0, description=_GIVE_UP)
    fonts: OptionalFile = Field(
        default="", description="A folder with more fonts, for letters that the built-in ones do not have."
    )
    window_left: float = Field(
        default=110, ge=20, le=120, description="How many millimetres from the left the address begins."
    )
    window_top: float = Field(
        default=47, ge=30, le=120, description="How many millimetres from above the address begins."
    )


class ChannelSettings(Table):
    """[[dispatcher.channels]]: what a sender's messages do that no mailbox takes; one table for each sender."""

    sender: Organisation = Field(description="The sender's organisation number.")
    order: tuple[Literal["email", "sms", "print"], ...] = Field(
        default=("email", "sms", "print"), description="The channels after the mailbox, the first first."
    )
    after: tuple[Literal["not_registered", "deselected", "not_taken", "refused", "given_up"], ...] = Field(
        default=("not_registered", "deselected", "not_taken"),
        description="What makes a message take another channel. After given_up the mailbox may have it too.",
    )
    contacts: File = Field(description="JSON file with the contact details of the sender's recipients.")
    sensitive: bool = Field(
        default=True,
        description="Whether a message counts as sensitive that does not say; such a one takes neither e-mail nor SMS.",
    )
    email_from: EmailAddress = Field(default="", description="The address that e-mail is from. Empty: no e-mail.")
    sms_from: SmsName = Field(
        default="",
        description="Who text messages are from: at most 11 letters and digits, or a number with +. Empty: none.",
    )
    return_address: tuple[str, ...] = Field(
        default=(), max_length=4, description="What stands below the name in a letter."
    )
