"""The adapter as a program: from a `platform.yaml` to a running adapter, its metrics, its checks and its first file.

What `unbind-hub platform` does; the adapter itself, its stores and the reading of the file are in `hub.sdk`.
"""
