"""[evidence]: how long the bytes of what came are kept, and the records of them."""

from __future__ import annotations

from pydantic import Field

from mm_soap.config_types import Table


class EvidenceSettings(Table):
    """[evidence]: the exact bytes that came in, and the chain of their records."""

    keep_days: int = Field(default=365, gt=0, description="How long the bytes of what was accepted are kept, in days.")
    refused_days: int = Field(
        default=0,
        ge=0,
        description="How long the bytes of what was refused are kept, in days; 0 for the same.",
    )
    record_days: int = Field(
        default=0,
        ge=0,
        description="How long records stay in the chain, in days; 0 for always. Those whose bytes are there stay.",
    )
