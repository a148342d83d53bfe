"""The schema explains: every violation with its place, its rule and a remedy, for people."""

from __future__ import annotations

from enum import Enum
from functools import cache
from typing import NamedTuple

import xmlschema
from lxml import etree

from mm_soap.contract.files import unpacked_schemas

_MOST = 50


class Kind(Enum):
    """What a violation is about."""

    NAMESPACE = "an element of the right name in another namespace"
    STRUCTURE = "an element or attribute that is missing, unknown or out of its place"
    VALUE = "a value"


class Violation(NamedTuple):
    """One broken rule: the place in the document, the rule as the schema has it, what to do, and what it is about."""

    path: str
    rule: str
    remedy: str
    kind: Kind


def explain(element: etree._Element) -> list[Violation]:
    """Return how an element breaks the schema, at most 50 violations; an empty list where it does not.

    This is for a person who checks a document of their own: it may repeat what the document holds, so it must not go
    into an answer or a log. It costs many times what `mm_soap.contract.validate` costs.
    """
    found: list[Violation] = []
    namespaces = {prefix or "": uri for prefix, uri in element.nsmap.items()}
    try:
        for error in _schema().iter_errors(element, namespaces=namespaces):
            found.append(
                Violation(str(error.path or ""), str(error.reason or error.message), _remedy(error), _kind(error))
            )
            if len(found) == _MOST:
                break
    except (xmlschema.XMLSchemaException, KeyError, ValueError):
        # Such as an xsi:type that names no type: the explainer stops there instead of reporting it.
        text = "A name in the document refers to nothing in the schema."
        found.append(Violation("", text, "Check every xsi:type.", Kind.STRUCTURE))
    return found


def _remedy(error: xmlschema.XMLSchemaValidationError) -> str:
    expected = getattr(error, "expected", None)
    if isinstance(error, xmlschema.XMLSchemaChildrenValidationError):
        names = [str(getattr(item, "name", None) or item) for item in expected or ()] if expected else []
        return f"Write {' or '.join(names)} here." if names else "Remove the element, or move it to its place."
    if type(error.obj).__name__ == "str" or isinstance(error.obj, (str, bytes)):
        return "Change the value so that it follows the rule."
    return "Compare the element with the schema and correct it."


def _kind(error: xmlschema.XMLSchemaValidationError) -> Kind:
    if isinstance(error, xmlschema.XMLSchemaChildrenValidationError):
        here = etree.QName(error.invalid_tag).localname if error.invalid_tag else None
        wanted = {str(getattr(item, "local_name", "")) for item in error.expected or ()} if error.expected else set()
        return Kind.NAMESPACE if here in wanted else Kind.STRUCTURE
    return Kind.VALUE if isinstance(error.obj, (str, bytes)) else Kind.STRUCTURE


@cache
def _schema() -> xmlschema.XMLSchema:
    with unpacked_schemas() as driver:
        return xmlschema.XMLSchema(str(driver), allow="sandbox", base_url=str(driver.parent))
