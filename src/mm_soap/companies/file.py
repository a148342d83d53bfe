"""Companies from a JSON file: the company register of an installation that asks nobody else."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from mm_soap.companies.format import companies_document, read_companies
from mm_soap.companies.model import Company
from mm_soap.companies.register import Away, CompanyRegisterAway
from mm_soap.errors import ConfigurationError
from mm_soap.watched_file import FileUnusable, WatchedFile, places, replace


@dataclass(frozen=True)
class _Index:
    by_number: dict[str, Company]
    by_person: dict[str, tuple[Company, ...]]


class FileCompanyRegister:
    """The companies of a file, see ``docs/reference/companies.schema.json``. Safe for threads.

    The file is read again when it changes. While it is away, or wrong, the register is away: an old rule is not used in
    place of one that cannot be read.

    Args:
        path: the file.

    Raises:
        ConfigurationError: the file cannot be read, or does not follow its format. The sentence holds none of it.
    """

    def __init__(self, path: Path) -> None:
        self._file = WatchedFile(path, _read)
        try:
            self._file.content()
        except FileUnusable as unusable:
            raise ConfigurationError(f"The file of companies cannot be used: {unusable}.") from None

    def find(self, number: str) -> Company | None:
        """Return a company by its number; None where the file has none."""
        return self._index().by_number.get(number)

    def of_person(self, personal_number: str) -> Sequence[Company]:
        """Return the companies for which a person is listed, by number."""
        return self._index().by_person.get(personal_number, ())

    def _index(self) -> _Index:
        try:
            return self._file.content()
        except FileUnusable as unusable:
            raise CompanyRegisterAway(Away.UNREACHABLE, str(unusable)) from None


def write_companies(path: Path, companies: Iterable[Company]) -> None:
    """Put a new file of companies in the place of the one at a path, or where none is.

    Raises:
        ConfigurationError: a company breaks the format, or the folder cannot be written. Nothing is changed.
    """
    try:
        document = companies_document(companies)
    except ValidationError as error:
        raise ConfigurationError(f"The companies break their format: {'; '.join(places(error))}.") from None
    try:
        replace(path, (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode())
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror}.") from None


def _read(raw: bytes) -> _Index:
    companies = sorted(read_companies(raw), key=lambda company: company.number)
    by_person: dict[str, list[Company]] = {}
    for company in companies:
        for person in company.signatories:
            by_person.setdefault(person.personal_number, []).append(company)
    return _Index(
        {company.number: company for company in companies},
        {number: tuple(found) for number, found in by_person.items()},
    )
