"""``python -m pamm`` is the command ``pamm``."""

import sys

from pamm.cli import main

sys.exit(main())
