/**
 * Entry of a process that `podwire doctor` runs inside a vessel of its own: which offloads do TAPs and UDP sockets of
 * this kernel have? Prints one line of JSON.
 */
import { close } from '../sys/io.ts';
import { acceptedOffloads, openTap, TUNNEL_OFFLOADS, TunOffload } from '../sys/tap.ts';
import { openUdp, supportsSegmentation } from '../sys/udp.ts';
import { VNET_TUNNEL_HEADER_LEN } from '../wire/virtio.ts';

/** What the kernel lets us leave to it, and what is slower without. */
export interface Offloads {
  /** TCP superframes from and to pods, per family. */
  readonly tso4: boolean;
  readonly tso6: boolean;
  /** UDP superframes (Linux 6.2). */
  readonly uso: boolean;
  /** Many datagrams in one send (Linux 4.18), in one receive (Linux 5.0). */
  readonly udpSegment: boolean;
  readonly udpGro: boolean;
  /** Superframes whole inside tunnels (Linux 6.17). */
  readonly tunnelGso: boolean;
}

const tap = openTap('probe0', { offload: 0 });
const { checksum, tso4, tso6, uso4, uso6 } = TunOffload;
const accepted = acceptedOffloads(tap, checksum | tso4 | tso6 | uso4 | uso6);
const udp = openUdp({ address: '0.0.0.0', port: 0, receiveBufferBytes: 0, sendBufferBytes: 0, gro: true });
const offloads: Offloads = {
  tso4: (accepted & tso4) !== 0,
  tso6: (accepted & tso6) !== 0,
  uso: (accepted & uso4) !== 0 && (accepted & uso6) !== 0,
  udpSegment: supportsSegmentation(udp.fd),
  udpGro: udp.gro,
  tunnelGso: hasTunnelGso(),
};
close(tap);
close(udp.fd);
process.stdout.write(`${JSON.stringify(offloads)}\n`);

function hasTunnelGso(): boolean {
  try {
    close(openTap('probe1', { offload: TUNNEL_OFFLOADS, vnetHeaderLen: VNET_TUNNEL_HEADER_LEN }));
    return true;
  } catch {
    return false;
  }
}
