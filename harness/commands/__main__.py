"""`python -m harness.commands` is `selfcheck`."""

import sys

from harness.commands import main

sys.exit(main())
