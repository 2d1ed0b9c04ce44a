/**
 * slirp4netns: a different thing, beside the others for who knows it from rootless containers. It ends every connection of a
 * namespace in user space and makes one of the host's out of it. So there is one pod, and the server is its host.
 */
import { Laboratory } from './laboratory.ts';
import type { Contender } from './rival.ts';

/** What the pod knows its host's loopback by. */
const HOST_ADDRESS = '10.0.2.2';

/** @param mtu - IP MTU of the pod's TAP, at most 65,521. */
export function slirp4netns(mtu: number): Contender {
  return {
    name: `slirp4netns, MTU ${mtu}`,
    mtu,
    encrypts: false,
    note: 'from a namespace to its host, by NAT in user space; no tunnel and no wire',
    wires: ['superframe'],
    needs: [
      ['ping', 'iputils-ping'],
      ['slirp4netns', 'slirp4netns'],
    ],
    start: () =>
      Laboratory.build(async (laboratory) => {
        const host = await laboratory.namespace();
        const pod = await laboratory.namespace();
        laboratory.daemon(host, 'slirp4netns', '--configure', `--mtu=${mtu}`, String(pod.pid), 'eth0');
        await laboratory.reachable(pod, HOST_ADDRESS);
        return {
          client: pod.enter,
          server: host.enter,
          serverAddress: HOST_ADDRESS,
          daemons: laboratory.daemons,
          setWire: () => {},
          traffic: () => ({ packets: 0, bytes: 0 }),
          end: () => laboratory.end(),
        };
      }),
  };
}
