"""A Functions host that runs a real `function_app.py` in Microsoft's own `azure-functions-runtime`.

The app runs unpatched in a worker process of its own (`worker`); the rest of this package plays the host around it:
webhook and HTTP front, queue poller, timers, output bindings, worker restarts. What is emulated follows the sources
that each module names. Start at `host.FunctionsHost`. This file imports nothing, since the worker passes through it.
"""
