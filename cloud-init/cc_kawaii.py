"""cloud-init's module for the key `kawaii:`: hands the seed to kawaiid where it could not fetch it itself.

The cidata device is read by kawaii-seed.service long before cloud-init runs. A seed that came by another datasource
(ConfigDrive, a seed directory) is known to cloud-init only: it is written where kawaiid looks, and kawaiid restarted.
"""

import json
import logging
from pathlib import Path
from typing import Any

from cloudinit import subp, util
from cloudinit.settings import PER_INSTANCE

LOG = logging.getLogger(__name__)
SEED = Path("/run/kawaii/seed")

meta = {"id": "cc_kawaii", "distros": ["all"], "frequency": PER_INSTANCE, "activate_by_schema_keys": ["kawaii"]}


def handle(name: str, cfg: dict[str, Any], cloud: Any, args: list[Any]) -> None:
    """Write the datasource's user-data and meta-data to /run/kawaii/seed unless a seed is there already."""
    if (SEED / "user-data").exists():
        LOG.debug("the seed was fetched before cloud-init")
        return
    raw = cloud.datasource.get_userdata_raw()
    text = raw.encode() if isinstance(raw, str) else raw
    SEED.mkdir(mode=0o700, parents=True, exist_ok=True)
    util.write_file(str(SEED / "meta-data"), json.dumps(cloud.datasource.metadata), mode=0o600)
    util.write_file(str(SEED / "user-data"), text, omode="wb", mode=0o600)
    subp.subp(["systemctl", "restart", "--no-block", "kawaiid.service"])
