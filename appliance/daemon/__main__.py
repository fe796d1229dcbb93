"""``python -m appliance.daemon``."""

from appliance.daemon import main

raise SystemExit(main())
