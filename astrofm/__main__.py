"""``python -m astrofm`` and ``torchrun -m astrofm``: the same as the command ``astrofm``."""

import sys

from .cli import main

sys.exit(main())
