"""The disk that is shipped: its partitions, its file systems, and the papers beside it."""

import json
import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.image, pytest.mark.xdist_group("disk")]

BUILD = Path(__file__).parents[2] / "build"
IMAGE = BUILD / "kawaii-gateway.qcow2"


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The image as a sparse raw disk."""
    path = tmp_path_factory.mktemp("disk") / "disk.raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", str(IMAGE), str(path)], check=True, timeout=120)
    return path


@pytest.fixture(scope="module")
def partitions(raw: Path) -> dict[str, dict[str, int | str]]:
    """The GPT's partitions by name."""
    done = subprocess.run(["sfdisk", "-J", str(raw)], check=True, capture_output=True, text=True)
    table = json.loads(done.stdout)["partitiontable"]
    assert table["label"] == "gpt"
    return {entry["name"]: entry for entry in table["partitions"]}


def test_the_image_is_small() -> None:
    assert IMAGE.stat().st_size < 350 * 2**20


def test_there_are_two_equal_slots_and_the_state_is_last(partitions: dict[str, dict[str, int | str]]) -> None:
    assert list(partitions) == ["KAWAII-ESP", "bios-boot", "kawaii-a", "kawaii-b", "kawaii-state"]
    assert partitions["kawaii-a"]["size"] == partitions["kawaii-b"]["size"]


@pytest.mark.parametrize("label", ["kawaii-a", "kawaii-b", "kawaii-state"])
def test_file_system_is_clean_and_labelled(raw: Path, partitions: dict[str, dict[str, int | str]], label: str) -> None:
    at = f"{raw}?offset={int(partitions[label]['start']) * 512}"
    checked = subprocess.run(["e2fsck", "-f", "-n", at], check=False, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout
    # blkid, not tune2fs: it finds the label as the boot does
    offset = str(int(partitions[label]["start"]) * 512)
    command = ["blkid", "-p", "-O", offset, "-s", "LABEL", "-o", "value", str(raw)]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip() == label


def test_both_firmwares_find_a_loader(raw: Path, partitions: dict[str, dict[str, int | str]]) -> None:
    offset = int(partitions["KAWAII-ESP"]["start"]) * 512
    listed = subprocess.run(["mdir", "-/", "-b", "-i", f"{raw}@@{offset}"], check=True, capture_output=True, text=True)
    assert {"::/EFI/BOOT/BOOTX64.EFI", "::/grub/grub.cfg", "::/grub/grubenv"} <= set(listed.stdout.split())
    with raw.open("rb") as disk:
        assert b"GRUB" in disk.read(440)


def test_the_checksums_are_those_of_the_files() -> None:
    done = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=BUILD, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert {line.split(":")[0] for line in done.stdout.splitlines()} == {
        "kawaii-gateway.qcow2",
        "kawaii-gateway.manifest.json",
        "kawaii-gateway.sbom.cdx.json",
    }


def test_manifest_and_bill_name_every_package() -> None:
    manifest = json.loads((BUILD / "kawaii-gateway.manifest.json").read_text(encoding="utf-8"))
    bill = json.loads((BUILD / "kawaii-gateway.sbom.cdx.json").read_text(encoding="utf-8"))
    command = ["dpkg-query", f"--admindir={BUILD / 'tree/var/lib/dpkg'}", "-W", "-f", "${Package} ${Version}\n"]
    installed = set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines())
    assert {f"{entry['name']} {entry['version']}" for entry in manifest["debian"]} == installed
    assert {"kawaii-gateway", "pydantic", "vici"} <= {entry["name"] for entry in manifest["python"]}
    assert bill["bomFormat"] == "CycloneDX"
    assert len(bill["components"]) == len(manifest["debian"]) + len(manifest["python"])
