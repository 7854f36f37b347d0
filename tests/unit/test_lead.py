"""Of several processes on one database one leads: it alone relays, and when it is gone another one does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import pytest
from sqlalchemy import URL, text

from ecshop.kernel.db.database import Database
from ecshop.kernel.db.engine import open_engine
from ecshop.kernel.db.lead import Lead
from ecshop.kernel.errors import Aborted
from tests.databases import OnPostgres, PostgresServer
from tests.unit.notes import MIGRATIONS, OpenDatabase
from tests.unit.relaying import FakeBroker, all_out, relaying, tell
from tests.waiting import eventually_async

pytestmark = pytest.mark.anyio

TAKEN_OVER = 5.0  # seconds


@pytest.fixture
def url(postgres: PostgresServer) -> Iterator[URL]:
    databases = OnPostgres(postgres)
    yield databases.url("shop", MIGRATIONS)
    databases.close()


@pytest.fixture
def leads(url: URL) -> Iterator[Sequence[Lead]]:
    """Of three replicas."""
    engines = [open_engine(url) for _ in range(3)]
    leads = [Lead(engine, look_every=0) for engine in engines]
    yield leads
    for lead, engine in zip(leads, engines, strict=True):
        lead.close()
        engine.dispose()


async def _held(leads: Sequence[Lead]) -> list[bool]:
    """One that has lost its connection finds that out by asking."""

    async def held(lead: Lead) -> bool:
        try:
            return await lead.held()
        except Aborted:
            return False

    return list(await asyncio.gather(*map(held, leads)))


async def test_one_of_them_leads_and_goes_on_leading(leads: Sequence[Lead]) -> None:
    first = await _held(leads)
    assert sum(first) == 1
    assert await _held(leads) == first


async def test_another_one_leads_when_the_first_one_ends(leads: Sequence[Lead]) -> None:
    first = (await _held(leads)).index(True)
    leads[first].close()
    others = [lead for n, lead in enumerate(leads) if n != first]
    await eventually_async(lambda: _number(others), 1, seconds=TAKEN_OVER)


async def test_one_of_them_leads_again_when_the_server_has_ended_the_connection(
    leads: Sequence[Lead], url: URL
) -> None:
    await _held(leads)
    engine = open_engine(url)
    with engine.connect() as connection:
        holders = (
            "SELECT pg_terminate_backend(pid) FROM pg_locks JOIN pg_database ON pg_database.oid = database "
            "WHERE locktype = 'advisory' AND granted AND datname = current_database()"
        )
        assert len(connection.scalars(text(holders)).all()) == 1
    engine.dispose()
    await eventually_async(lambda: _number(leads), 1, seconds=TAKEN_OVER)


async def test_contexts_that_share_a_database_have_each_its_own(url: URL) -> None:
    engines = [open_engine(url.update_query_dict({"schema": schema})) for schema in ("stock", "order")]
    for engine, schema in zip(engines, ("stock", "order"), strict=True):
        with engine.begin() as connection:
            connection.execute(text(f'CREATE SCHEMA "{schema}"'))
    leads = [Lead(engine) for engine in engines]
    assert await _held(leads) == [True, True]
    for lead, engine in zip(leads, engines, strict=True):
        lead.close()
        engine.dispose()


@pytest.mark.sqlite_only
async def test_the_owner_of_a_file_leads(open_database: OpenDatabase) -> None:
    assert await open_database().lead.held()


async def test_of_two_relays_on_one_server_one_publishes(url: URL) -> None:
    replicas = [Database(url), Database(url)]
    brokers = [FakeBroker(), FakeBroker()]
    for replica in replicas:
        replica.open(MIGRATIONS)
    async with relaying(replicas[0], brokers[0]), relaying(replicas[1], brokers[1]):
        for number in range(20):
            await tell(replicas[number % 2], number)
            await all_out(replicas[0])
    for replica in replicas:
        await replica.close()
    assert sorted(brokers[0].taken + brokers[1].taken) == list(range(1, 21))
    assert [] in (brokers[0].taken, brokers[1].taken)


async def _number(leads: Sequence[Lead]) -> int:
    return sum(await _held(leads))
