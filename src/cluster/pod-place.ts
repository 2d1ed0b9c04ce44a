/**
 * What a program in a pod (or on a node) sees besides the network: its own resolv.conf, hosts, nsswitch.conf and
 * hostname, and /sys of its own network. A mount and a UTS namespace, made when the first program enters.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { close } from '../sys/io.ts';
import { bindMount, MountFlag, mount, setHostname } from '../sys/mount.ts';
import { createNamespace, inNamespace } from '../sys/namespace.ts';

/** Files of the place, by the path they cover. */
type PlaceFiles = Readonly<Record<string, string>>;

export interface PlaceOptions {
  /** Directory for the files; made when it is not there. */
  readonly directory: string;
  readonly hostname: string;
  readonly addresses: readonly string[];
  /** Text of its /etc/resolv.conf. */
  readonly resolvConf: string;
  /** Network namespace that /sys shall show. */
  readonly network: number;
}

export interface Place {
  readonly mounts: number;
  readonly names: number;
  /** What could not be covered on this machine, with the reason. */
  readonly missing: readonly string[];
}

export function createPlace(options: PlaceOptions): Place {
  mkdirSync(options.directory, { recursive: true, mode: 0o700 });
  const files = placeFiles(options);
  const missing: string[] = [];
  const cover = (target: string, action: () => void) => {
    try {
      action();
    } catch (error) {
      missing.push(`${target}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  // /sys shows the network of whoever mounts it.
  const mounts = inNamespace(options.network, 'net', () =>
    createNamespace('mnt', () => {
      for (const [target, text] of Object.entries(files)) {
        const source = join(options.directory, target.replaceAll('/', '_'));
        writeFileSync(source, text, { mode: 0o644 });
        cover(target, () => bindMount(source, target));
      }
      cover('/sys', () =>
        mount('sysfs', '/sys', 'sysfs', MountFlag.noSetUserId | MountFlag.noExecution | MountFlag.noDevices),
      );
    }),
  );
  const names = createNamespace('uts', () => setHostname(options.hostname));
  return { mounts, names, missing };
}

/** Programs that are inside keep it until they end. */
export function closePlace({ mounts, names }: Place): void {
  close(mounts);
  close(names);
}

function placeFiles({ hostname, addresses, resolvConf }: PlaceOptions): PlaceFiles {
  const own = addresses.map((address) => `${address}\t${hostname}\n`).join('');
  return {
    '/etc/hostname': `${hostname}\n`,
    '/etc/hosts': `127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n${own}`,
    '/etc/resolv.conf': resolvConf,
    '/etc/nsswitch.conf':
      'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\nprotocols: files\n',
  };
}
