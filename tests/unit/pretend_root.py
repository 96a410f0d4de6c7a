"""A debootstrap that only pretends: it leaves a root as far as lab's scripts look at it."""

from __future__ import annotations

# `{here}` is a folder, as a word for a shell; what was asked for is in its file `asked`, a word a line.
DEBOOTSTRAP = """
umask 022  # so does the real one
printf '%s\\n' "$@" >{here}/asked
for root; do case $root in /*) break ;; esac; done
echo 'I: Retrieving Release'; echo 'I: Retrieving Packages'; echo 'I: Unpacking sed'
echo 'I: Configuring sed...'; echo I:
mkdir -p "$root"/etc/apt/apt.conf.d "$root"/etc/ssh "$root"/etc/sudoers.d "$root"/etc/dpkg/dpkg.cfg.d
mkdir -p "$root"/etc/systemd/system "$root"/home/vagrant "$root"/usr/share/doc/sed "$root"/usr/share/man/man1
mkdir -p "$root"/lib/systemd/system "$root"/var/lib/apt/lists "$root"/var/log/apt "$root"/tmp "$root"/root
echo 'deb http://mirror.example.org/archive release main' >"$root/etc/apt/sources.list"
echo 'Port 22' >"$root/etc/ssh/sshd_config"
echo key >"$root/etc/ssh/ssh_host_rsa_key"
echo built >"$root/etc/hostname"
echo 0123456789abcdef >"$root/etc/machine-id"
# What only a full machine has.
mkdir -p "$root"/etc/initramfs-tools/conf.d "$root"/boot "$root"/usr/local "$root"/var/tmp
echo '# modules' >"$root/etc/initramfs-tools/modules"
echo kernel >"$root/boot/vmlinuz-1"; ln -s boot/vmlinuz-1 "$root/vmlinuz"
echo initrd >"$root/boot/initrd.img-1"; ln -s boot/initrd.img-1 "$root/initrd.img"
touch "$root/usr/share/doc/sed/copyright" "$root/usr/share/doc/sed/changelog" "$root/var/lib/apt/lists/x"
"""
