"""Programs of the hub that tests start, forked from a process that has loaded their modules already.

Loading them costs a program 1 to 3 s of a core, and the tests start some hundred. A forked program is a process of its
own that does what `python -m hub …` does: it has its arguments, folder, environment, console and session, it can be
killed, and its exit code is its own. Tests that are about how a program begins start it as anybody would.
"""
