import { VNET_HEADER_LEN } from '../wire/virtio.ts';
import { checkInterfaceName } from './interface-name.ts';
import { close, Errno, OpenFlag, open } from './io.ts';
import { addressOf, check, checkReturned, errno, libc, SystemCallError } from './libc.ts';

/** TAP devices (linux/if_tun.h): a network interface whose other end is a file descriptor. */

/** What user space takes or gives unfinished: checksums, TCP and UDP segmentation (TUN_F_*). */
export const TunOffload = {
  checksum: 1,
  tso4: 2,
  tso6: 4,
  tsoEcn: 8,
  uso4: 0x20,
  uso6: 0x40,
  /** Superframes inside a UDP tunnel, without and with an outer checksum (Linux 6.17). */
  tunnelGso: 0x80,
  tunnelGsoChecksum: 0x100,
} as const;

/** All that a pod's kernel may leave to its node. */
export const POD_OFFLOADS =
  TunOffload.checksum | TunOffload.tso4 | TunOffload.tso6 | TunOffload.tsoEcn | TunOffload.uso4 | TunOffload.uso6;
/** The same, also inside tunnels: all or nothing. */
export const TUNNEL_OFFLOADS = POD_OFFLOADS | TunOffload.tunnelGso | TunOffload.tunnelGsoChecksum;

const TUNSETIFF = 0x400454ca;
const TUNSETPERSIST = 0x400454cb;
const TUNSETOFFLOAD = 0x400454d0;
const TUNSETVNETHDRSZ = 0x400454d8;

const IFF_TAP = 0x2;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;

/** struct ifreq: the name in the first 16 bytes, then the flags. */
const IFREQ_LEN = 40;
const IFREQ_FLAGS = 16;

const cIoctl = libc.func('int ioctl(int fd, unsigned long request, uintptr_t argument)') as (
  fd: number,
  request: number,
  argument: number,
) => number;

function configure(fd: number, name: string, offload: number, vnetHeaderLen: number): void {
  const request = Buffer.alloc(IFREQ_LEN);
  request.write(name);
  request.writeUInt16LE(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, IFREQ_FLAGS);
  check(cIoctl(fd, TUNSETIFF, addressOf(request)), `ioctl(TUNSETIFF, ${name})`);
  const headerLen = Int32Array.of(vnetHeaderLen);
  check(cIoctl(fd, TUNSETVNETHDRSZ, addressOf(headerLen)), `ioctl(TUNSETVNETHDRSZ, ${name})`);
  check(cIoctl(fd, TUNSETOFFLOAD, offload), `ioctl(TUNSETOFFLOAD, ${name}, 0x${offload.toString(16)})`);
  check(cIoctl(fd, TUNSETPERSIST, 1), `ioctl(TUNSETPERSIST, ${name})`);
}

/**
 * Makes the TAP device `name` in the calling thread's network namespace, or takes over the one left there by an
 * earlier owner. Frames carry a vnet header: `VNET_HEADER_LEN` bytes where `options` does not say otherwise.
 *
 * The device is persistent: closing the descriptor takes its carrier away but keeps addresses and routes, and it ends
 * with its namespace. (Closing a device that is not persistent costs 16 ms each.)
 *
 * @param options.offload `TunOffload` bits; TSO and USO need `checksum`, USO needs both families.
 * @returns the descriptor, non-blocking.
 * @throws RangeError for a bad name; SystemCallError EBUSY when another process holds the device, EINVAL when the
 * kernel does not know an offload, EPERM without CAP_NET_ADMIN.
 */
export function openTap(name: string, options: { offload: number; vnetHeaderLen?: number }): number {
  checkInterfaceName(name);
  const flags = OpenFlag.readWrite | OpenFlag.nonBlocking | OpenFlag.closeOnExec;
  const fd = checkReturned(open('/dev/net/tun', flags), 'open(/dev/net/tun)');
  try {
    configure(fd, name, options.offload, options.vnetHeaderLen ?? VNET_HEADER_LEN);
  } catch (error) {
    close(fd);
    throw error;
  }
  return fd;
}

const USO = TunOffload.uso4 | TunOffload.uso6;
const TSO = TunOffload.tso4 | TunOffload.tso6;
/** What to do without, in order: USO came with Linux 6.2, ECN hardly matters, TSO costs most. */
const SACRIFICES = [0, USO, USO | TunOffload.tsoEcn, USO | TunOffload.tsoEcn | TSO];

/**
 * Sets as many of the `wanted` offloads on a TAP as this kernel knows: USO goes first, then ECN, then TSO.
 *
 * @returns the `TunOffload` bits now in force.
 * @throws SystemCallError when even the rest is refused, or for any refusal that is not EINVAL.
 */
export function acceptedOffloads(fd: number, wanted: number): number {
  let refusal: number = Errno.EINVAL;
  for (const sacrifice of SACRIFICES) {
    const offload = wanted & ~sacrifice;
    if (cIoctl(fd, TUNSETOFFLOAD, offload) >= 0) return offload;
    refusal = errno();
    if (refusal !== Errno.EINVAL) break;
  }
  throw new SystemCallError(`ioctl(TUNSETOFFLOAD, 0x${wanted.toString(16)})`, refusal);
}
