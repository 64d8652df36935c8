"""Start the local Kafka and PostgreSQL, ask each something, and say so: `python -m tests.machines.stand DIR`."""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from aiokafka import AIOKafkaProducer
from sqlalchemy import create_engine, text

from hub.local.kafka import EmbeddedKafka
from hub.local.postgres import EmbeddedPostgres

WORD = "北方"


def stand(folder: Path) -> str:
    """A line that says where both stood."""
    with ThreadPoolExecutor(2) as threads:
        both = threads.submit(_kafka, folder / "kafka"), threads.submit(_postgres, folder / "postgres")
        return " ".join(one.result() for one in both)


def _kafka(folder: Path) -> str:
    with EmbeddedKafka(folder) as broker:
        asyncio.run(_ask(broker.bootstrap_servers))
        return broker.bootstrap_servers


async def _ask(servers: str) -> None:
    async with AIOKafkaProducer(bootstrap_servers=servers) as producer:
        await producer.client.fetch_all_metadata()


def _postgres(folder: Path) -> str:
    with EmbeddedPostgres(folder) as server:
        engine = create_engine(server.dsn())
        with engine.connect() as connection:
            assert connection.execute(text("SELECT :word"), {"word": WORD}).scalar() == WORD
        engine.dispose()
        return server.dsn()


if __name__ == "__main__":
    sys.stdout.write(f"stands: {stand(Path(sys.argv[1]))}\n")
