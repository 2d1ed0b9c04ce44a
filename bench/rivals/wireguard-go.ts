/** WireGuard in user space: a TUN at each node, and all that crosses the wire sealed by ChaCha20-Poly1305. */
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Laboratory } from './laboratory.ts';
import { type Contender, WIRE_MTU } from './rival.ts';
import { rivalOf, routePod, twoNodes } from './two-nodes.ts';

/** IPv4, UDP, its header and the tag. */
const OVERHEAD = 20 + 8 + 16 + 16;
const MTU = WIRE_MTU - OVERHEAD;
const PORT = 51820;

/** A key pair as `wg` writes keys. */
export function wireguardKeys(): { secret: string; open: string } {
  const { d, x } = generateKeyPairSync('x25519').privateKey.export({ format: 'jwk' });
  const base64 = (text: string | undefined) => Buffer.from(text!, 'base64url').toString('base64');
  return { secret: base64(d), open: base64(x) };
}

export const wireguardGo: Contender = {
  name: 'wireguard-go',
  mtu: MTU,
  encrypts: true,
  note: `pod MTU ${MTU}: its headers leave no more of ${WIRE_MTU}`,
  wires: ['superframe', 'mtu'],
  needs: [
    ['ethtool', 'ethtool'],
    ['ping', 'iputils-ping'],
    ['wireguard-go', 'wireguard-go'],
    ['wg', 'wireguard-tools'],
  ],
  start: () =>
    Laboratory.build(async (laboratory) => {
      const network = await twoNodes(laboratory);
      const keys = [wireguardKeys(), wireguardKeys()];
      for (const side of network.sides) {
        const daemon = laboratory.daemon(side.node, 'wireguard-go', '-f', 'wg0');
        const wg = (...words: string[]) => {
          const [program, ...rest] = [...daemon.enter, 'wg', ...words];
          return execFileSync(program!, rest, { stdio: 'pipe' });
        };
        await laboratory.until('wireguard-go', () => wg('show', 'wg0').length > 0);
        const keyFile = join(laboratory.directory, `key${side.index}`);
        writeFileSync(keyFile, keys[side.index - 1]!.secret, { mode: 0o600 });
        const peer = ['peer', keys[2 - side.index]!.open, 'endpoint', `${side.otherAddress}:${PORT}`];
        wg('set', 'wg0', 'private-key', keyFile, 'listen-port', String(PORT), ...peer, 'allowed-ips', '10.244.0.0/16');
        side.node.ip(`link set wg0 mtu ${MTU} up`);
        routePod(side, 'dev wg0', MTU);
      }
      const [client, server] = network.sides;
      await laboratory.reachable(client.pod, server.podAddress);
      return rivalOf(laboratory, network, server.podAddress);
    }),
};
