"""The settings of how deliveries are made to operators, and of how much a sender may send."""

from __future__ import annotations

import re
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from mm_soap.config_types import Organisation, Table


def _codes(value: str) -> str:
    match = re.fullmatch(r"(\d{1,4})(?:-(\d{1,4}))?", value, re.ASCII)
    if match is None or int(match[2] or match[1]) < int(match[1]):
        raise PydanticCustomError("codes", "must be an ErrorCode such as 4000, or a range such as 0-4999")
    return value


Codes = Annotated[str, AfterValidator(_codes)]


class PolicySettings(Table):
    """[dispatcher.policy]: how deliveries are made to mailbox operators."""

    connect_timeout: float = Field(default=5, gt=0, description="How long a connection may take, in seconds.")
    answer_timeout: float = Field(
        default=30, gt=0, description="How long an operator may take for its whole answer, in seconds."
    )
    calls_at_once: int = Field(default=4, gt=0, description="How many calls are made to one operator at once, at most.")
    retry_first: float = Field(default=1, gt=0, description="The longest wait before the second attempt, in seconds.")
    retry_longest: float = Field(default=900, gt=0, description="The longest wait between two attempts, in seconds.")
    retry_factor: float = Field(default=2, ge=1, description="How many times as long each wait is as the one before.")
    retry_jitter: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="How many of the seconds of a wait are left to chance: a part, from 0 to 1.",
    )
    give_up_after: float = Field(
        default=86_400,
        gt=0,
        le=31_536_000,
        description="How long after it was accepted a delivery is given up, in seconds.",
    )
    break_after: int = Field(
        default=5, gt=0, description="After how many technical errors in a row an operator is left alone."
    )
    pause_first: float = Field(default=2, gt=0, description="For how long then, in seconds; it doubles from then on.")
    pause_longest: float = Field(
        default=60, gt=0, le=86_400, description="The longest time that an operator is left alone, in seconds."
    )
    probes: int = Field(
        default=1, gt=0, description="How many calls at once try, after a pause, whether the operator answers again."
    )
    technical_codes: tuple[Codes, ...] = Field(
        default=("0-4999",),
        description="After which ErrorCodes the same call is made again: numbers and ranges. All else is final.",
    )

    @property
    def technical_ranges(self) -> tuple[tuple[int, int], ...]:
        """``technical_codes`` as pairs of first and last."""
        pairs = (each.partition("-") for each in self.technical_codes)
        return tuple((int(first), int(last or first)) for first, _, last in pairs)


class OperatorPolicySettings(PolicySettings):
    """[[dispatcher.operator_policy]]: what is different for one operator; the rest is as in [dispatcher.policy]."""

    operator: Organisation = Field(description="The operator's organisation number, 12 digits beginning with 16.")


class LimitSettings(Table):
    """[dispatcher.limits]: how much each sender may send. 0 stands for no limit."""

    messages_per_second: float = Field(default=0, ge=0, description="How many messages a second; 0 for any number.")
    burst: int = Field(
        default=100, gt=0, description="How many messages may come at once, after a time with fewer than that a second."
    )
    bytes_per_day: int = Field(
        default=0,
        ge=0,
        description="How many bytes of signed messages from midnight to midnight UTC; 0 for any number.",
    )


class SenderLimitSettings(LimitSettings):
    """[[dispatcher.sender_limits]]: what is different for one sender; the rest is as in [dispatcher.limits]."""

    sender: Organisation = Field(description="The sender's organisation number, 12 digits beginning with 16.")


class DispatcherRules(Table):
    """What [dispatcher] holds of both: a table of what is usual, and tables of what is different for some."""

    policy: PolicySettings = Field(default_factory=PolicySettings)
    operator_policy: tuple[OperatorPolicySettings, ...] = ()
    limits: LimitSettings = Field(default_factory=LimitSettings)
    sender_limits: tuple[SenderLimitSettings, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _the_rest_is_as_usual(cls, content: Any) -> Any:
        if not isinstance(content, dict):
            return content
        filled = dict(content)
        for usual, different in (("policy", "operator_policy"), ("limits", "sender_limits")):
            common, own = content.get(usual, {}), content.get(different, ())
            if isinstance(common, dict) and isinstance(own, (list, tuple)):
                known = {key: value for key, value in common.items() if key in cls._keys_of(usual)}
                filled[different] = [{**known, **each} if isinstance(each, dict) else each for each in own]
        return filled

    @classmethod
    def _keys_of(cls, name: str) -> set[str]:
        return set((PolicySettings if name == "policy" else LimitSettings).model_fields)

    @model_validator(mode="after")
    def _one_for_each(self) -> Self:
        for what, numbers in (
            ("operator of each [[dispatcher.operator_policy]]", [each.operator for each in self.operator_policy]),
            ("sender of each [[dispatcher.sender_limits]]", [each.sender for each in self.sender_limits]),
        ):
            if len(set(numbers)) < len(numbers):
                raise PydanticCustomError("distinct", "the {what} must be its own", {"what": what})
        return self
