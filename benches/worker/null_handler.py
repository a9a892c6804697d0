"""A handler that does nothing, in the way of examples/python."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "python"))

from workgate_handler import job, run


@job()
def nothing(_):
    return None


run()
