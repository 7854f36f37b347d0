"""The signing key elsewhere than in a file: in auth's database, where replicas share it, or given."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from ecshop.auth.key_file import FILE
from ecshop.auth.key_table import KeyOfDatabase, replace_signing_key_of
from ecshop.auth.keys import SigningKeyUnusable, new_key, read_key
from ecshop.kernel.db.database import Database
from entrypoints.environment import read_settings
from entrypoints.settings import Settings
from entrypoints.signing_keys import key_in_use, key_of, replace_key
from tests.databases import Databases
from tests.unit.schema import versions
from tests.waiting import eventually_async

pytestmark = pytest.mark.anyio

GIVEN = new_key().decode()


@pytest.fixture
async def replicas(databases: Databases, dbms: str) -> AsyncIterator[Sequence[Database]]:
    """Of auth; a file has one owner."""
    opened = [Database(databases.url("auth", versions("auth"))) for _ in range(1 if dbms == "sqlite" else 3)]
    for database in opened:
        database.open(versions("auth"))
    yield opened
    for database in opened:
        await database.close()


async def test_replicas_that_begin_together_sign_by_one_key(replicas: Sequence[Database]) -> None:
    places = [KeyOfDatabase(replica) for replica in replicas for _ in range(2)]
    keys = await asyncio.gather(*(place.current() for place in places))
    assert len({key.public.kid for key in keys}) == 1


async def test_all_take_over_a_key_that_replaces_it(replicas: Sequence[Database]) -> None:
    places = [KeyOfDatabase(replica) for replica in replicas]
    watching = [asyncio.create_task(place.watch()) for place in places]
    first = await places[0].current()
    fresh = await replicas[-1].write(replace_signing_key_of)
    assert fresh.public != first.public

    async def kids() -> set[str]:
        return {(await place.current()).public.kid for place in places}

    await eventually_async(kids, {fresh.public.kid}, seconds=5)
    for task in watching:
        task.cancel()


async def test_a_key_that_is_given_signs_and_no_file_is_made(tmp_path: Path) -> None:
    settings = read_settings({"ECSHOP_DATA_DIR": str(tmp_path), "ECSHOP_SIGNING_KEY": GIVEN})
    in_use = key_in_use(settings, Database(f"sqlite:///{tmp_path}/auth.db"))
    assert (await in_use.current()).public == key_of(settings).public == read_key(GIVEN.encode(), "here").public
    assert not (tmp_path / FILE).exists()


def test_a_key_that_is_given_is_replaced_by_whoever_gives_it(tmp_path: Path) -> None:
    with pytest.raises(SigningKeyUnusable, match="given by ECSHOP_SIGNING_KEY: give another one"):
        replace_key(Settings(data_dir=str(tmp_path), signing_key=GIVEN))


def test_what_is_given_and_no_key_is_said_at_the_start(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ecshop", "up", "--port", "0", "--data-dir", str(tmp_path)]
    ended = subprocess.run(
        command, env={"ECSHOP_SIGNING_KEY": "s3cret"}, capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("ecshop: ECSHOP_SIGNING_KEY holds no private key that can be read")
    assert "s3cret" not in ended.stderr
