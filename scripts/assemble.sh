#!/usr/bin/env bash
# assemble.sh TREE OUT.qcow2: the disk of the gateway from its tree, bootable by BIOS and UEFI, without a mount or a loop device.
#
#   1 KAWAII-ESP    64 MiB   EFI system partition; also GRUB's configuration, which chooses the slot
#   2 bios-boot      2 MiB   GRUB for BIOS
#   3 kawaii-a    1024 MiB   the system, slot a
#   4 kawaii-b    1024 MiB   slot b, empty: an update writes it
#   5 kawaii-state 256 MiB   /var/lib/kawaii; grows at boot to the end of the disk
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C.UTF-8 PATH=/usr/sbin:/sbin:$PATH
umask 022

readonly TREE=$1 OUT=$2
readonly SECTOR=512 MIB=2048 # sectors in a MiB
readonly ESP_START=$((1 * MIB)) ESP_SIZE=$((64 * MIB))
readonly BIOS_START=$((65 * MIB)) BIOS_SIZE=$((2 * MIB))
readonly SLOT_SIZE=$((${KAWAII_SLOT_MB:-1024} * MIB))
readonly A_START=$((67 * MIB)) B_START=$((67 * MIB + SLOT_SIZE))
readonly STATE_START=$((67 * MIB + 2 * SLOT_SIZE)) STATE_SIZE=$((256 * MIB))
readonly MODULES=(part_gpt fat ext2 search search_label normal configfile linux serial terminal echo boot test loadenv)

WORK=$(mktemp -d "$(dirname "$OUT")/assemble.XXXXXX")
trap 'rm -rf "$WORK"' EXIT
readonly RAW=$WORK/disk.raw

identifier() { # identifier NAME: the same in every build, so that equal trees make equal disks
    python3 -c 'import sys, uuid; print(uuid.uuid5(uuid.NAMESPACE_DNS, "kawaii-gateway." + sys.argv[1]))' "$1"
}

partition_disk() {
    truncate -s $(((STATE_START + STATE_SIZE + MIB) * SECTOR)) "$RAW"
    sfdisk --quiet "$RAW" <<TABLE
label: gpt
label-id: $(identifier disk)
start=$ESP_START, size=$ESP_SIZE, type=U, name=KAWAII-ESP, uuid=$(identifier esp)
start=$BIOS_START, size=$BIOS_SIZE, type=21686148-6449-6E6F-744E-656564454649, name=bios-boot, uuid=$(identifier bios)
start=$A_START, size=$SLOT_SIZE, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709, name=kawaii-a, uuid=$(identifier slot-a)
start=$B_START, size=$SLOT_SIZE, type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709, name=kawaii-b, uuid=$(identifier slot-b)
start=$STATE_START, size=$STATE_SIZE, type=L, name=kawaii-state, uuid=$(identifier state)
TABLE
}

file_system() { # file_system LABEL START SIZE [TREE]
    local label=$1 start=$2 size=$3
    mke2fs -q -F -t ext4 -L "$label" -U "$(identifier "fs-$label")" \
        -E "offset=$((start * SECTOR)),hash_seed=$(identifier "hash-$label"),root_owner=0:0" \
        ${4:+-d "$4"} "$RAW" $((size / 2))k
}

# The slot's own part of GRUB's configuration names its kernel; the ESP's part only chooses the slot.
write_slot_configuration() {
    local kernel
    kernel=$(find "$TREE/boot" -name 'vmlinuz-*' -printf '%f\n' | sed 's/^vmlinuz-//' | sort -V | tail -n 1)
    [ -n "$kernel" ] || { echo "no kernel in $TREE/boot" >&2; exit 1; }
    mkdir -p "$TREE/boot/grub"
    cat >"$TREE/boot/grub/grub.cfg" <<SLOT
linux /boot/vmlinuz-$kernel root=LABEL=kawaii-\$slot rw console=tty0 console=ttyS0,115200 quiet loglevel=4 systemd.gpt_auto=0
initrd /boot/initrd.img-$kernel
boot
SLOT
}

write_boot_partition() {
    cat >"$WORK/grub.cfg" <<'ESP'
set timeout=0
serial --speed=115200
terminal_input serial console
terminal_output serial console
set slot=a
if [ -s $prefix/grubenv ]; then load_env slot; fi
export slot
search --no-floppy --label kawaii-$slot --set=root
configfile ($root)/boot/grub/grub.cfg
ESP
    grub-editenv "$WORK/grubenv" create
    grub-editenv "$WORK/grubenv" set slot=a
    # shellcheck disable=SC2016 # GRUB's variables, not the shell's
    printf 'search --no-floppy --label KAWAII-ESP --set=root\nset prefix=($root)/grub\nconfigfile $prefix/grub.cfg\n' >"$WORK/start.cfg"
    grub-mkimage -O x86_64-efi -p /grub -c "$WORK/start.cfg" -o "$WORK/BOOTX64.EFI" efi_gop "${MODULES[@]}"
    truncate -s $((ESP_SIZE * SECTOR)) "$WORK/esp"
    mkfs.vfat --invariant -i 4B415749 -n KAWAII-ESP "$WORK/esp" >/dev/null
    mmd -i "$WORK/esp" ::EFI ::EFI/BOOT ::grub
    mcopy -i "$WORK/esp" "$WORK/BOOTX64.EFI" ::EFI/BOOT/
    mcopy -i "$WORK/esp" "$WORK/grub.cfg" "$WORK/grubenv" ::grub/
    dd if="$WORK/esp" of="$RAW" bs=1M seek=$((ESP_START / MIB)) conv=notrunc,sparse status=none
}

# What grub-install would do with a device: the core image into its partition, the boot sector pointing at it.
write_bios_loader() {
    grub-mkimage -O i386-pc -p '(hd0,gpt1)/grub' -c "$WORK/start.cfg" -o "$WORK/core.img" biosdisk "${MODULES[@]}"
    python3 - "$RAW" "$WORK/core.img" /usr/lib/grub/i386-pc/boot.img "$BIOS_START" <<'PYTHON'
import struct
import sys
from pathlib import Path

raw, core, boot, start = Path(sys.argv[1]), bytearray(Path(sys.argv[2]).read_bytes()), Path(sys.argv[3]).read_bytes(), int(sys.argv[4])
core[0x1F4:0x1FC] = struct.pack("<Q", start + 1)  # diskboot.img's block list begins with the sector after itself
sector = bytearray(boot[:440])
sector[0x5C:0x64] = struct.pack("<Q", start)  # boot.img's kernel sector
sector[0x66:0x68] = b"\x90\x90"  # boot from any drive number
with raw.open("r+b") as disk:
    disk.write(sector)
    disk.seek(start * 512)
    disk.write(core)
PYTHON
}

partition_disk
write_slot_configuration
file_system kawaii-a "$A_START" "$SLOT_SIZE" "$TREE"
file_system kawaii-b "$B_START" "$SLOT_SIZE"
file_system kawaii-state "$STATE_START" "$STATE_SIZE"
write_boot_partition
write_bios_loader
qemu-img convert -c -m 4 -W -o compression_type=zstd -O qcow2 "$RAW" "$WORK/out.qcow2"
mv "$WORK/out.qcow2" "$OUT"
