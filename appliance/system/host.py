"""All real ports of one node."""

from __future__ import annotations

from pathlib import Path

from appliance.engine.ports import Host
from appliance.system.accounts import RecordedAccounts, SystemAccounts
from appliance.system.conntrackd import Conntrackd
from appliance.system.features import kernel_features
from appliance.system.files import DurableFiles
from appliance.system.keepalived import Keepalived
from appliance.system.machine import FileMachine, OwnMachine
from appliance.system.netlink import Rtnetlink
from appliance.system.nft import NftProgram
from appliance.system.paths import Paths
from appliance.system.services import service_manager
from appliance.system.sysctl import ProcSysctl
from appliance.system.vici import Charon


def open_host(paths: Paths) -> Host:
    """Open the ports of the node whose files are below `paths`, in the network namespace of the process."""
    services = service_manager()
    files = DurableFiles()
    # Below any other root the host name, the accounts and the clock's servers are somebody else's.
    own = paths.root == Path("/")
    return Host(
        nft=NftProgram(),
        netlink=Rtnetlink(),
        sysctl=ProcSysctl(),
        vrrp=Keepalived(paths, services, files),
        state_sync=Conntrackd(paths, services, files),
        files=files,
        vici=Charon(paths.vici_socket),
        machine=OwnMachine(paths.root, files) if own else FileMachine(paths.root, files),
        accounts=SystemAccounts() if own else RecordedAccounts(str(paths.state / "accounts.json"), files),
        features=kernel_features(),
    )
