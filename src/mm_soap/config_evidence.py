"""[evidence]: how long the bytes of what came are kept, and the records of them."""

from __future__ import annotations

from pydantic import Field

from mm_soap.config_types import OptionalFile, Table


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
    spool: OptionalFile = Field(
        default="data/spool",
        description="The folder where what is refused waits while a party's database is away; it has a folder for each "
        "party, made when it is not there. Empty for none.",
    )
    spool_bytes: int = Field(default=1_073_741_824, gt=0, description="How much may wait for each party, in bytes.")
