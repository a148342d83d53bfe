"""Fresh databases for tests, of each kind that mm-soap runs on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from sqlalchemy import Engine, make_url
from sqlalchemy.schema import CreateSchema, DropSchema

from mm_soap.storage import open_database


@contextmanager
def fresh_database(folder: Path, postgresql: str | None = None) -> Iterator[Engine]:
    """Open an empty database that is gone afterwards.

    Args:
        folder: where the SQLite file goes.
        postgresql: the URL of a PostgreSQL database. With it, the fresh database is a schema of its own there.
    """
    if postgresql is None:
        engine = open_database(folder / f"{uuid4().hex}.sqlite3")
        try:
            yield engine
        finally:
            engine.dispose()
        return
    with fresh_schema(postgresql) as inside:
        engine = open_database(inside)
        try:
            yield engine
        finally:
            engine.dispose()


@contextmanager
def fresh_schema(postgresql: str) -> Iterator[str]:
    """Make an empty schema in a PostgreSQL database, gone afterwards, and give the URL that leads into it.

    Connections by that URL have the schema's name as ``application_name``.
    """
    name = f"test_{uuid4().hex}"
    outer = open_database(postgresql)
    try:
        with outer.begin() as connection:
            connection.execute(CreateSchema(name))
        options = {"options": f"-csearch_path={name}", "application_name": name}
        inside = make_url(postgresql).update_query_dict(options)
        yield inside.render_as_string(hide_password=False)
        with outer.begin() as connection:
            connection.execute(DropSchema(name, cascade=True))
    finally:
        outer.dispose()
