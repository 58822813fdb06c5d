/** The table of programs that change something, with the options that keep them from running code. Pure. */
import type { Effect, Resource } from '@sluice/contract';
import { type OptionTable, optionsOf } from '../options.js';

/** A program that changes something. `sure`: with these options it runs nothing of somebody else's; absent: with any. */
export interface Changer {
  readonly effects: readonly Effect[];
  readonly access: Resource['access'];
  readonly sure?: OptionTable;
  /** Options beside which -n keeps it from overwriting what is there. */
  readonly careful?: RegExp;
  /** The last operand is what it writes; those before are read. */
  readonly last?: boolean;
  /** It can also do what is not known: run a shell, a program, a script. */
  readonly unknown?: true;
}

const CHANGERS = new Map<string, Changer>();
const add = (names: string, changer: Changer): void => {
  for (const name of names.split(' ')) CHANGERS.set(name, changer);
};
export const changer = (name: string): Changer | undefined => CHANGERS.get(name);

add('rm rmdir unlink shred srm wipe', { effects: ['destroy'], access: 'destroy' });
add('truncate fallocate', { effects: ['write', 'destroy'], access: 'destroy' });
add(
  'wipefs mkfs mkfs.ext4 mkfs.ext3 mkfs.ext2 mkfs.xfs mkfs.btrfs mkfs.vfat mke2fs mkswap fdisk sfdisk parted sgdisk blkdiscard dropdb dropuser lvremove vgremove pvremove cryptsetup losetup swapoff umount badblocks hdparm debugfs',
  { effects: ['destroy'], access: 'destroy', unknown: true },
);
add('mkdir touch mkfifo mknod mktemp sync', { effects: ['write'], access: 'write' });
add('cp', {
  effects: ['write', 'destroy'],
  access: 'write',
  careful: /^(?:-[aRrpdLPvnT]+|--no-clobber|--recursive|--archive|--verbose|--preserve)$/,
  last: true,
});
// What is moved is gone from where it was.
add('mv', { effects: ['write', 'destroy'], access: 'write', last: true });
add('ln', { effects: ['write'], access: 'write', last: true });
add('install', {
  effects: ['write', 'destroy', 'grant'],
  access: 'write',
  last: true,
  sure: optionsOf('dDm:o:g:vpCT --mode= --owner= --group='),
});
add('dd', { effects: ['write', 'destroy'], access: 'write' });
add('tar bsdtar cpio zip unzip 7z ar gzip gunzip bzip2 bunzip2 xz unxz zstd unzstd compress uncompress', {
  effects: ['write', 'destroy'],
  access: 'write',
  unknown: true,
});
add('split csplit', {
  effects: ['write', 'destroy'],
  access: 'write',
  sure: optionsOf('l:b:n:a:dC: --lines= --bytes='),
});
add('patch ed ex', { effects: ['write', 'destroy'], access: 'write', unknown: true });
add('dos2unix unix2dos', { effects: ['write', 'destroy'], access: 'write' });
add('logrotate updatedb ldconfig update-alternatives alternatives a2enmod a2ensite', {
  effects: ['write', 'destroy', 'execute'],
  access: 'write',
  unknown: true,
});
add('chmod chown chgrp chattr setfacl chcon setcap restorecon semanage setsebool setenforce setfattr', {
  effects: ['grant'],
  access: 'write',
});
add(
  'useradd adduser usermod groupadd addgroup groupmod gpasswd passwd chpasswd chage chsh chfn newusers visudo vipw vigr newgrp sg su doas pkexec runuser',
  { effects: ['grant'], access: 'write', unknown: true },
);
add('userdel deluser groupdel delgroup', { effects: ['grant', 'destroy'], access: 'destroy', unknown: true });
add('ssh-copy-id', { effects: ['grant', 'egress'], access: 'write', unknown: true });
add('kill pkill killall killall5 skill snice fuser', { effects: ['destroy'], access: 'destroy' });
add('shutdown reboot halt poweroff init telinit', { effects: ['destroy'], access: 'destroy' });
add('renice ionice-pid logger wall', { effects: ['write'], access: 'write' });
add(
  'curl wget nc ncat netcat socat telnet ftp lftp tftp ssh scp sftp rsync mail mailx sendmail mutt rclone aria2c openssl axel http https httpie xh w3m lynx links',
  { effects: ['egress'], access: 'write', unknown: true },
);
add('dig nslookup host ping ping6 traceroute tracepath mtr whois arping', { effects: ['egress'], access: 'read' });
add('at batch', { effects: ['execute', 'write'], access: 'execute', unknown: true });
add('crontab', { effects: ['execute', 'write'], access: 'write', unknown: true });
add('mount', { effects: ['write', 'grant'], access: 'write', unknown: true });
add('export-secret gpg gpg2 pass vault op secret-tool ssh-keygen', {
  effects: ['secret'],
  access: 'read',
  unknown: true,
});
add(
  'python python2 python3 perl ruby node php lua tclsh java go make cmake gcc vim vi nvim view vimdiff rvim emacs nano pico awk gawk mawk nawk expect screen tmux script gdb strace ltrace parallel ansible ansible-playbook terraform npx yarn pnpm docker podman kubectl helm nsenter unshare chroot sqlite3 mysql psql mongo mongosh redis-cli dash sh bash zsh ksh fish csh tcsh ash busybox source . eval man pager',
  { effects: ['execute'], access: 'execute', unknown: true },
);
