"""Everything the gateway drives, in the order of its rendering."""

from __future__ import annotations

from appliance.engine.step import AnySubsystem
from appliance.subsystems.addresses import Addresses
from appliance.subsystems.firewall.subsystem import Firewall
from appliance.subsystems.ipsec.subsystem import Ipsec
from appliance.subsystems.links import Links
from appliance.subsystems.logins import LoginAccounts, Logins
from appliance.subsystems.routes import Routes
from appliance.subsystems.settings import Settings
from appliance.subsystems.state_sync import StateSyncSubsystem
from appliance.subsystems.sysctl import Sysctls
from appliance.subsystems.vips import VipSubsystem

SUBSYSTEMS: tuple[AnySubsystem, ...] = (
    Links(),
    Sysctls(),
    Firewall(),
    Addresses(),
    Routes(),
    StateSyncSubsystem(),
    VipSubsystem(),
    Ipsec(),
    LoginAccounts(),
    Logins(),
    Settings(),
)
