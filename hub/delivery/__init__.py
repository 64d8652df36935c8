"""Releases to platforms that do not read Kafka: webhooks, daily files, and acknowledgements over HTTP.

A program of its own that follows `releases`, `platforms` and `tiles`, and writes `acks`. Each receiver is a cursor into
`releases`, and the durable cursor is what the hub has as its `received`: nothing is queued a receiver.

`channels.py` is the seam: how notices get to a receiver and what counts as their receipt. `courier.py` carries them,
one a receiver; `health.py` decides, purely, when to try again. `web.py` and what it includes is what platforms call.
"""
