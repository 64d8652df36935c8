"""This module runs the worker: one faust app with an agent for each stage, and what the stages share.

`unbind-hub worker` runs one; several workers share the partitions. A worker that is killed and started again under the
same instance id, for example `worker-1`, is back without a rebalance (KIP-345 static membership).
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from wsgiref.simple_server import WSGIServer

import faust
from prometheus_client import start_http_server

from hub.core.model import Operator
from hub.errors import HubError
from hub.folds.case_store import CaseStore
from hub.folds.cases import CaseFollower
from hub.folds.checker import Checker
from hub.folds.held_store import HeldFollower, HeldStore
from hub.folds.hub_key import open_signer
from hub.folds.reported import ReportedFollower
from hub.folds.roster import RosterFollower
from hub.kafka.clients import GROUP, administering, new_consumer, new_producer, started
from hub.kafka.header_names import tolerate_header_names
from hub.kafka.newest import read_hub_log
from hub.kafka.running import collect_seldom, guarded
from hub.settings import WorkerSettings
from hub.stream import transport
from hub.stream.context import Context, Inboxes
from hub.stream.coverage import CoverageWorker
from hub.stream.intake import IntakeWorker
from hub.stream.metrics import Metrics
from hub.stream.read_back import ReadBack
from hub.stream.reports_stage import AnswersWorker, ReportsWorker
from hub.stream.runner import Chunk, Stage
from hub.whole_files import write_json
from hub.wire import contracts
from hub.wire.checking import Opener

log = logging.getLogger(__name__)

COMMIT_INTERVAL_S = 0.5
FETCH_BYTES = 8 * 1024 * 1024
STREAM_BUFFER = 64
READY_POLL_S = 0.05
LAG_INTERVAL_S = 1.0


async def _check_topics(settings: WorkerSettings) -> None:
    """Raise if topics are missing: a follower would wait for ever for a topic that an earlier version did not make."""
    async with started(new_consumer(settings)) as consumer:
        missing = sorted({name for name in contracts.topics() if "<" not in name} - set(await consumer.topics()))
    if missing:
        raise HubError(f"the hub has no topic {', '.join(missing)}: an earlier version made it", todo="Run `up` once.")


@asynccontextmanager
async def open_context(settings: WorkerSettings, metrics: Metrics) -> AsyncIterator[Context]:
    """Start everything that the stages share, and stop it at the end."""
    hub_log = await read_hub_log(settings)
    await _check_topics(settings)
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)  # it holds numbers
    async with AsyncExitStack() as stack:
        roster = RosterFollower(settings, world_clock=hub_log.clock == "world")
        await stack.enter_async_context(started(roster))
        following = [guarded("roster", roster.run())]
        await roster.caught_up()
        store = CaseStore(settings.data_dir / "cases", hub_log.log_id, hub_log.partitions)
        stack.callback(store.close)
        held_store = HeldStore(settings.data_dir / "held", hub_log.log_id)
        stack.callback(held_store.close)
        held = HeldFollower(settings, held_store, hub_log.partitions, lambda one: store.accepted(one) is not None)
        await stack.enter_async_context(started(held))
        following.append(guarded("held", held.run()))
        await held.caught_up()  # before the cases are folded: what a person released counts in no limit
        cases = CaseFollower(settings, store, hub_log.partitions, lambda one: _operator(roster, one), held.book)
        await stack.enter_async_context(started(cases))
        following.append(guarded("cases", cases.run()))
        reported = ReportedFollower(settings)
        await stack.enter_async_context(started(reported))
        following.append(guarded("reported", reported.run()))
        producer = await stack.enter_async_context(started(new_producer(settings)))
        admin = await stack.enter_async_context(administering(settings))
        pool = stack.enter_context(ThreadPoolExecutor(settings.signature_threads, "open"))
        for task in following:
            stack.callback(task.cancel)

        yield Context(
            settings=settings,
            hub_log=hub_log,
            checker=Checker(Opener(hub_log.hub_id, hub_log.log_id, hub_log.partitions), roster, pool),
            roster=roster,
            store=store,
            cases=cases,
            reported=reported,
            signer=await open_signer(settings, hub_log, producer),
            inboxes=Inboxes(admin.list_topics),
            held=held,
            producer=producer,
            metrics=metrics,
            admin=admin,
            read_back=ReadBack(settings, roster),
            joined=asyncio.Event(),
        )


async def _operator(roster: RosterFollower, operator_id: str) -> Operator | None:
    if operator_id not in roster.roster.operators:
        await roster.caught_up()
    return roster.roster.operators.get(operator_id)


def make_app(context: Context, stages: dict[str, Stage]) -> faust.App:
    """Return the faust app. Its agents hand every chunk to the worker of its stage."""
    transport.register()
    settings = context.settings
    app = faust.App(
        GROUP,
        broker=f"{transport.SCHEME}://{settings.bootstrap_servers.replace(',', ';')}",
        datadir=str(settings.data_dir / "faust"),
        web_enabled=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        consumer_group_instance_id=settings.instance_id,
        consumer_auto_offset_reset="earliest",
        consumer_max_fetch_size=FETCH_BYTES,
        broker_session_timeout=settings.session_timeout_s,
        broker_heartbeat_interval=settings.session_timeout_s / 4,
        broker_commit_interval=COMMIT_INTERVAL_S,
        broker_max_poll_records=settings.chunk_records_max,
        stream_buffer_maxsize=STREAM_BUFFER,
        # The next owner of the partition reads unacked work again; waiting for it would only delay that.
        stream_wait_empty=False,
    )
    for topic, stage in stages.items():
        _add_agent(app, topic, stage)

    @app.on_partitions_revoked.connect  # type: ignore[untyped-decorator]
    async def _revoked(*_args: Any, **_kwargs: Any) -> None:
        for stage in stages.values():
            await stage.release()
        context.metrics.forget_partitions()

    @app.on_partitions_assigned.connect  # type: ignore[untyped-decorator]
    async def _assigned(_app: Any, assigned: set[Any], **_kwargs: Any) -> None:
        context.read_back.forget()
        for tp in assigned:
            stages[tp.topic].hold(tp.partition)
        context.joined.set()
        for name, stage in stages.items():
            context.metrics.partitions_ready.labels(name).set(len(stage.workers))

    return app


def _add_agent(app: faust.App, topic: str, stage: Stage) -> None:
    async def hand_over(stream: Any) -> None:
        async for event in stream.noack().events():
            message = event.message
            await stage.give(message.partition, Chunk(message.value, message.offset + 1, _ack(app, message)))

    app.agent(app.topic(topic, key_serializer="raw", value_serializer="raw"), name=f"hub.{topic}")(hand_over)


def _ack(app: faust.App, message: Any) -> Any:
    return lambda: app.consumer.ack(message)


def serve_metrics(metrics: Metrics, port: int) -> tuple[WSGIServer, threading.Thread]:
    """Serve /metrics on 127.0.0.1. Port 0 takes a free port."""
    return start_http_server(port, addr="127.0.0.1", registry=metrics.registry)


async def run_worker(settings: WorkerSettings) -> None:
    """Run one worker until SIGINT or SIGTERM."""
    tolerate_header_names()
    collect_seldom()
    if settings.ready_file is not None:
        settings.ready_file.unlink(missing_ok=True)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for one in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(one, stop.set)
    metrics = Metrics()
    server, _ = serve_metrics(metrics, settings.metrics_port)
    async with open_context(settings, metrics) as context:
        stages = {
            contracts.EVENTS: Stage("intake", lambda partition: IntakeWorker(context, partition)),
            contracts.ACKS: Stage("coverage", lambda partition: CoverageWorker(context, partition)),
            contracts.REPORTS: Stage("reports", lambda partition: ReportsWorker(context, partition)),
            contracts.ANSWERS: Stage("answers", lambda partition: AnswersWorker(context, partition)),
        }
        app = make_app(context, stages)
        await app.start()
        beside = [
            guarded("ready", _say_ready(settings, context, stages, server.server_port)),
            guarded("lag", _show_lag(app, metrics)),
            guarded("faust", _until_it_ends(app)),
        ]
        await stop.wait()
        for task in beside:
            task.cancel()
        await app.stop()
        for stage in stages.values():
            await stage.release()
    server.shutdown()
    _leave()


async def _until_it_ends(app: faust.App) -> None:
    """Raise when faust ends: if it crashes (for example, a commit fails) it tells nobody and keeps its partitions."""
    await app.wait_until_stopped()
    raise app.crash_reason or RuntimeError("faust stopped by itself")


async def _say_ready(settings: WorkerSettings, context: Context, stages: dict[str, Stage], port: int) -> None:
    """Write the ready file once this worker is a member of the group and has prepared its partitions."""
    while not context.joined.is_set() or not all(stage.prepared for stage in stages.values()):
        await asyncio.sleep(READY_POLL_S)
    collect_seldom()
    log.info("worker %s serves; metrics at port %d", settings.instance_id, port)
    if settings.ready_file is not None:
        write_json(settings.ready_file, {"metrics_port": port, "pid": os.getpid()})


async def _show_lag(app: faust.App, metrics: Metrics) -> None:
    while True:
        await asyncio.sleep(LAG_INTERVAL_S)
        for tp, lag in app.consumer.lags().items():
            metrics.lag.labels(tp.topic, tp.partition).set(lag)


def _leave() -> None:
    """End now. faust leaves threads that may hold the process for a minute, and nothing is left to lose."""
    logging.shutdown()
    os._exit(0)
