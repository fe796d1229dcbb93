"""What is in the image's tree, and what is not."""

import re
import subprocess
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from testinfra.host import Host

pytestmark = [pytest.mark.image, pytest.mark.xdist_group("tree")]

ROOT = Path(__file__).parents[2]
TREE = ROOT / "build/tree"
SITE = TREE / "opt/kawaii/lib/python3.13/site-packages"


@pytest.mark.parametrize(
    "package",
    [
        "nftables",
        "keepalived",
        "charon-systemd",
        "strongswan-swanctl",
        "conntrackd",
        "conntrack",
        "cloud-init",
        "openssh-server",
        "chrony",
        "linux-image-cloud-amd64",
        "tcpdump",
        "traceroute",
        "iputils-ping",
        "iproute2",
        "systemd-repart",
    ],
)
def test_package_is_installed(tree: Host, package: str) -> None:
    assert tree.package(package).is_installed


@pytest.mark.parametrize(
    "package", ["gcc", "python3-pip", "sudo", "rsync", "curl", "wget", "gnupg", "linux-image-amd64", "systemd-resolved"]
)
def test_package_is_not_installed(tree: Host, package: str) -> None:
    assert not tree.package(package).is_installed


def test_the_system_is_debian_13_with_python_3_13(tree: Host) -> None:
    assert tree.system_info.codename == "trixie"
    assert tree.check_output("/opt/kawaii/bin/python3 -V").startswith("Python 3.13.")


@pytest.mark.parametrize(
    "unit",
    ["kawaii-closed", "kawaii-seed", "kawaiid", "kawaii-vrrp", "kawaii-ssh-keys", "strongswan", "ssh", "chrony"],
)
def test_unit_is_enabled(tree: Host, unit: str) -> None:
    assert tree.run(f"systemctl is-enabled {unit}.service").stdout.strip() in {"enabled", "enabled-runtime"}


@pytest.mark.parametrize("unit", ["keepalived", "nftables", "systemd-networkd", "chrony-wait", "sshd-keygen"])
def test_unit_is_masked(tree: Host, unit: str) -> None:
    assert tree.run(f"systemctl is-enabled {unit}.service").stdout.strip() == "masked"


@pytest.mark.parametrize("unit", ["conntrackd", "rsyslog"])
def test_unit_waits_for_the_daemon_to_start_it(tree: Host, unit: str) -> None:
    assert tree.run(f"systemctl is-enabled {unit}.service").stdout.strip() in {"disabled", "static"}


def test_units_have_no_mistake_that_systemd_sees(tree: Host) -> None:
    units = "kawaii-closed kawaii-seed kawaiid kawaii-vrrp kawaii-ssh-keys strongswan conntrackd"
    done = tree.run(
        "systemd-analyze verify --man=no --recursive-errors=no " + " ".join(f"{u}.service" for u in units.split())
    )
    assert done.rc == 0, done.stderr


@pytest.mark.parametrize("program", ["kawaii", "kawaiid", "kawaii-shell", "kawaii-guard"])
def test_program_starts_in_the_image_s_own_python(tree: Host, program: str) -> None:
    done = tree.run(f"/usr/bin/{program} --help")
    assert done.rc == 0, done.stderr
    assert "usage" in done.stdout.lower()


def test_the_operator_logs_in_to_the_console_with_the_configure_role(tree: Host) -> None:
    user = tree.user("kawaii")
    assert user.shell == "/usr/bin/kawaii-shell"
    assert "kawaii-configure" in user.groups
    assert "/usr/bin/kawaii-shell" in tree.file("/etc/shells").content_string.split()


def test_no_account_has_a_password() -> None:
    fields = [line.split(":") for line in (TREE / "etc/shadow").read_text(encoding="ascii").splitlines()]
    assert {field[0] for field in fields} >= {"root", "kawaii"}
    assert [field[0] for field in fields if not re.fullmatch(r"[!*]+", field[1])] == []


@pytest.mark.parametrize("group", ["kawaii-view", "kawaii-operate", "kawaii-configure"])
def test_role_has_its_group(tree: Host, group: str) -> None:
    assert tree.group(group).exists


@pytest.mark.parametrize(
    ("path", "mode"),
    [("/var/lib/kawaii", 0o711), ("/etc/shadow", 0o640), ("/boot/efi", 0o700), ("/root", 0o700), ("/tmp", 0o1777)],
)
def test_mode_is(tree: Host, path: str, mode: int) -> None:
    assert oct(tree.file(path).mode) == oct(mode)


def test_nothing_of_ours_is_writable_by_others(tree: Host) -> None:
    found = tree.run("find /opt/kawaii /etc /usr/lib/kawaii /usr/bin ! -type l -perm /022 ! -perm -1000")
    assert (found.rc, found.stdout) == (0, "")


def test_no_secret_or_identity_is_left_behind() -> None:
    assert list((TREE / "etc/ssh").glob("ssh_host_*")) == []
    assert (TREE / "etc/machine-id").read_text(encoding="ascii") == ""
    assert not (TREE / "var/lib/systemd/random-seed").exists()
    assert list((TREE / "root").glob(".ssh/*")) == []


def test_no_trace_of_the_build_is_left_behind() -> None:
    assert [path for path in (TREE / "var/log").rglob("*") if path.is_file()] == []
    assert not (TREE / "etc/dib-manifests").exists()
    assert list((TREE / "tmp").iterdir()) == []
    assert [path.name for path in (TREE / "var/lib/apt/lists").glob("*_*")] == []
    assert (TREE / "etc/resolv.conf").read_text(encoding="ascii") == ""
    assert not (TREE / "usr/sbin/policy-rc.d").exists()


def test_the_package_sources_name_no_mirror_of_the_build_machine() -> None:
    words = " ".join(path.read_text(encoding="utf-8") for path in (TREE / "etc/apt").rglob("*") if path.is_file())
    assert "mirror+file:/etc/apt/mirrors/debian.list" in words
    assert re.findall(r"https?://\S+", words) == []


def test_the_daemon_and_the_console_are_this_checkout_s() -> None:
    for package in ("appliance", "kawaii_shell"):
        ours = {path.relative_to(ROOT): path.read_bytes() for path in (ROOT / package).rglob("*.py")}
        shipped = {path.relative_to(SITE): path.read_bytes() for path in (SITE / package).rglob("*.py")}
        assert ours
        assert shipped == ours


def test_the_wheels_are_those_of_the_lock() -> None:
    locked = re.findall(r"^([a-z0-9.-]+)==([^ ;]+) \\", (ROOT / "requirements/runtime.lock").read_text(), re.MULTILINE)
    assert len(locked) > 10
    present = {tuple(path.name.removesuffix(".dist-info").split("-")) for path in SITE.glob("*.dist-info")}
    assert present >= {(name.replace("-", "_"), version) for name, version in locked if not name.startswith("win-")}


def test_every_module_has_byte_code_so_that_none_is_written_at_boot() -> None:
    modules = list((SITE / "appliance").rglob("*.py"))
    missing = [path for path in modules if not (path.parent / "__pycache__" / f"{path.stem}.cpython-313.pyc").exists()]
    assert (len(modules) > 10, missing) == (True, [])


@pytest.fixture
def judge(tree: Host) -> Iterator[Callable[[str], int]]:
    """Let the image's cloud-init judge user-data; gives its exit status."""
    path = TREE / f"tmp/user-data-{uuid.uuid4().hex}"

    def schema(text: str) -> int:
        path.write_text(text, encoding="utf-8")
        return int(tree.run(f"cloud-init schema --config-file /tmp/{path.name}").rc)

    yield schema
    path.unlink(missing_ok=True)


def test_cloud_init_knows_our_key_whatever_is_in_it(judge: Callable[[str], int]) -> None:
    assert judge("#cloud-config\nkawaii: {anything: [1, two]}\n") == 0


def test_cloud_init_still_refuses_other_keys(judge: Callable[[str], int]) -> None:
    assert judge("#cloud-config\nkawai: {}\n") != 0


def test_cloud_init_leaves_the_network_alone() -> None:
    settings = (TREE / "etc/cloud/cloud.cfg.d/90_kawaii.cfg").read_text(encoding="utf-8")
    assert "network: {config: disabled}" in settings


def test_the_closed_ruleset_drops_by_default(tree: Host) -> None:
    text = (TREE / "etc/kawaii/closed.nft").read_text(encoding="utf-8")
    program = "ip link set lo up; nft -f -; nft -j list ruleset"
    command = ["unshare", "--net", "sh", "-c", program]
    done = subprocess.run(command, input=text, check=True, capture_output=True, text=True, timeout=20)
    assert done.stdout.count('"policy": "drop"') == 2
