"""Runs a driver: DRIVER VERB, with the folder of this file on sys.path.

A module of its own, so that the driver is not __main__ and a spawned process can import it.
"""

import importlib
import os
import sys

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "path")) as file:
    sys.path[1:1] = file.read().splitlines()
driver, verb = sys.argv[1:]
sys.argv = [driver]
getattr(importlib.import_module(driver), verb)()
