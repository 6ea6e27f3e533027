"""Measurements that print tables; none is read from answers that an earlier run has kept."""

import os

os.environ["SELFCHECK_CACHE"] = "off"
