"""Large contents in a bucket that speaks the protocol of S3."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from mm_soap.errors import ConfigurationError, Refusal, Refused
from mm_soap.service_supplier.blobs import CHUNK, NoSuchBlob

if TYPE_CHECKING:
    from obstore.store import S3Config

_TIMEOUT: Final = timedelta(seconds=10)
_RETRIES: Final = 2


@dataclass(frozen=True, slots=True)
class S3Blobs:
    """Blobs as objects in a bucket. `open` is the way to make one."""

    store: Any

    @classmethod
    def open(cls, bucket: str, prefix: str, endpoint: str = "", region: str = "") -> S3Blobs:
        """Return the blobs of a bucket; nothing is called yet.

        The credentials come from the environment: ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, or what else the
        library finds there.

        Args:
            bucket: its name.
            prefix: what stands before the names of the objects, without a slash at the end.
            endpoint: the address of the service; empty for Amazon's own.
            region: where the bucket is; empty for what the environment says.

        Raises:
            ConfigurationError: the library is not installed, or cannot use these values.
        """
        try:
            from obstore.exceptions import BaseError
            from obstore.store import S3Store
        except ImportError:
            raise ConfigurationError("Blobs in a bucket need more packages: install mm-soap[s3].") from None
        config: S3Config = {}
        if endpoint:
            config["endpoint"] = endpoint
        if region:
            config["region"] = region
        try:
            made = S3Store(
                bucket,
                prefix=prefix,
                config=config,
                client_options={"allow_http": endpoint.startswith("http:"), "timeout": _TIMEOUT},
                retry_config={"max_retries": _RETRIES, "retry_timeout": _TIMEOUT},
            )
        except (BaseError, ValueError):
            # The text of the error may hold the values.
            raise ConfigurationError("The bucket for large contents cannot be used with these settings.") from None
        return cls(made)

    def put(self, contents: Mapping[str, bytes]) -> None:
        """Store each; the service keeps what it has answered."""
        from obstore.exceptions import BaseError

        try:
            for name, content in contents.items():
                self.store.put(_path(name), content, use_multipart=False)
        except (BaseError, OSError):
            raise Refused(Refusal.UNAVAILABLE) from None

    def read(self, name: str) -> Iterator[bytes]:
        """Return the bytes of a blob in pieces."""
        from obstore.exceptions import BaseError

        try:
            stream = iter(self.store.get(_path(name)).stream(min_chunk_size=CHUNK))
        except FileNotFoundError:
            raise NoSuchBlob from None
        except (BaseError, OSError):
            raise Refused(Refusal.UNAVAILABLE) from None

        def pieces() -> Iterator[bytes]:
            try:
                for piece in stream:
                    yield bytes(piece)
            except (BaseError, OSError):
                raise Refused(Refusal.UNAVAILABLE) from None

        return pieces()

    def delete(self, name: str) -> None:
        """Delete a blob. Where the bucket keeps versions, its own rules must delete those."""
        from obstore.exceptions import BaseError

        try:
            self.store.delete(_path(name))
        except FileNotFoundError:
            return
        except (BaseError, OSError):
            raise Refused(Refusal.UNAVAILABLE) from None

    def names(self, shard: int) -> Iterator[tuple[str, datetime]]:
        """Yield name and time of each blob of a shard."""
        from obstore.exceptions import BaseError

        try:
            for found in self.store.list(prefix=f"{shard:02x}"):
                for each in found:
                    yield str(each["path"]).rpartition("/")[2], each["last_modified"]
        except (BaseError, OSError):
            raise Refused(Refusal.UNAVAILABLE) from None


def _path(name: str) -> str:
    return f"{name[:2]}/{name}"
