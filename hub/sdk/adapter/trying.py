"""This module asks the hub for a test case, and waits for the result from the platform's own adapter.

For example, `await try_number("+8613800138000", "bank", signer, address)` returns one step for each of COOLING,
SCHEDULED and WITHDRAWN, with its outcome.
"""

from __future__ import annotations

import asyncio
import time
import uuid

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from hub.clock import system_clock
from hub.core.model import REFUSAL_TODO, Source, Subject, Trial, TrialResult
from hub.core.numbers import is_e164
from hub.errors import HubError, PlatformError
from hub.sdk.adapter.inbox import Inbox, Ledger, following
from hub.settings import HubAddress
from hub.wire.contracts import ANSWERS, encode, partition_of
from hub.wire.signing import Signer

LOOK_S = 0.05
TIMEOUT_S = 60.0
"""The hub's part and the adapter's may take so long together; more only if `timeout_s` is longer."""


async def try_number(
    number: str, platform_id: str, signer: Signer, address: HubAddress, timeout_s: float = TIMEOUT_S
) -> TrialResult:
    """Send a test case of a number of one's own round: to the hub, to the running adapter, and back.

    Args:
        number: the number in E.164, bound to an account of this platform.
        signer: holds a key that the roster has for this platform.
        timeout_s: how long the adapter is waited for, once the hub passed the test case on.

    Raises:
        PlatformError: this is no number, the hub refused the request, or no adapter answered it.
        HubError: the cluster fails, or the hub does not pass the request on.
    """
    if not is_e164(number):
        raise PlatformError("this is no phone number", todo="Give a number in E.164 form, such as +8613….")
    trial = Trial(uuid.uuid4().bytes, platform_id, Subject("e164", number), system_clock())
    inbox, deadline = Inbox(platform_id, signer, address), time.monotonic() + max(TIMEOUT_S, timeout_s)
    try:
        async with following(inbox) as ledger:
            await inbox.caught_up(deadline - time.monotonic())
            place = await _ask(trial, signer, address)
            return await _result(trial, place, ledger, deadline, timeout_s)
    except KafkaError as wrong:
        raise HubError(
            f"the cluster does not do its part: {type(wrong).__name__}",
            todo="Check the address, this platform's rights, and the brokers.",
        ) from wrong


async def _ask(trial: Trial, signer: Signer, address: HubAddress) -> Source:
    key, value = trial.platform.encode(), encode(trial)
    async with AIOKafkaProducer(
        bootstrap_servers=address.bootstrap_servers, acks="all", enable_idempotence=True, **address.security
    ) as producer:
        sent = await producer.send_and_wait(
            ANSWERS,
            value,
            key=key,
            partition=partition_of(key, address.partitions),
            headers=list(signer.headers(ANSWERS, value)),
        )
    return Source(sent.partition, sent.offset)


async def _result(trial: Trial, place: Source, ledger: Ledger, deadline: float, patience_s: float) -> TrialResult:
    passed_on = False
    while time.monotonic() < deadline:
        found = ledger.results.get(trial.trial_id)
        if found is not None:
            return found
        for unheard in ledger.unheard:
            if (unheard.topic, unheard.source) == (ANSWERS, place):
                raise PlatformError(
                    f"the hub refused the test case: {unheard.reason}", todo=REFUSAL_TODO[unheard.reason]
                )
        if not passed_on and trial.trial_id in ledger.trials:
            passed_on, deadline = True, min(deadline, time.monotonic() + patience_s)
        await asyncio.sleep(LOOK_S)
    if passed_on:
        raise PlatformError(
            "the hub passed the test case on, and no adapter answered it",
            todo="Start `unbind-hub platform run` with the same file, and try again.",
        )
    raise HubError(
        "the hub did not pass the test case on in time",
        todo="Ask the hub's staff whether it runs, and whether this platform's key is on its roster.",
    )
