"""This package is the adapter as a program: it reads `platform.yaml`, runs the adapter, checks, and shows metrics.

It is what `unbind-hub platform` does; the adapter itself and its stores are in `hub.sdk`.
"""
