"""This package delivers releases to platforms that do not read Kafka: by webhooks and daily files, with acks over HTTP.

It is a program of its own that follows `releases`, `platforms` and `tiles`, and writes `acks`. Each receiver has a
cursor into `releases`, and the durable cursor is what the hub has as its `received`; there is no queue for a receiver.
For example, a webhook receiver that has received 7-120033 gets 7-120034 next.

`channels.py` is the interface: how notices get to a receiver and what counts as their receipt. `courier.py` carries
them, with one courier for each receiver; `health.py` decides, purely, when to try again. Platforms call `web.py`.
"""
