"""``python -m appliance.system.guard``."""

from __future__ import annotations

import sys

from appliance.system.guard import main

if __name__ == "__main__":
    sys.exit(main())
