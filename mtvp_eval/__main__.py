"""Run the command line: python -m mtvp_eval."""

import sys

from mtvp_eval.cli import main

sys.exit(main())
