/** tinc as a switch, a TAP at each node bridged with the pod; what it carries neither sealed nor signed. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Laboratory } from './laboratory.ts';
import { type Contender, POD_MTU } from './rival.ts';
import { bridgePod, rivalOf, type Side, twoNodes } from './two-nodes.ts';

/** tinc.conf of one of the nodes n1 and n2; n1 calls. */
export function tincConfiguration(index: 1 | 2): string {
  const lines = [
    `Name = n${index}`,
    'Mode = switch',
    'DeviceType = tap',
    'Interface = tinc0',
    'AddressFamily = ipv4',
    'LocalDiscovery = no',
    // Else it sends over TCP until it has found out that this fits.
    'PMTUDiscovery = no',
    ...(index === 1 ? ['ConnectTo = n2'] : []),
  ];
  return `${lines.join('\n')}\n`;
}

/** What each node knows of a node. @param key - its RSA key for calls, PEM. */
export function tincHost(address: string, key: string): string {
  return `Address = ${address}\nCipher = none\nDigest = none\nCompression = 0\nPMTUDiscovery = no\n${key}`;
}

function startTinc(laboratory: Laboratory, side: Side, hosts: readonly string[], secret: string): void {
  const directory = join(laboratory.directory, `tinc${side.index}`);
  mkdirSync(join(directory, 'hosts'), { recursive: true });
  writeFileSync(join(directory, 'tinc.conf'), tincConfiguration(side.index));
  writeFileSync(join(directory, 'rsa_key.priv'), secret, { mode: 0o600 });
  for (const [i, host] of hosts.entries()) writeFileSync(join(directory, 'hosts', `n${i + 1}`), host);
  laboratory.daemon(side.node, 'tincd', `--config=${directory}`, '--no-detach', `--pidfile=${directory}/pid`);
}

export const tinc: Contender = {
  name: 'tinc',
  mtu: POD_MTU,
  encrypts: false,
  note: 'Cipher = none, Digest = none; switch mode',
  wires: ['superframe', 'mtu'],
  needs: [
    ['ethtool', 'ethtool'],
    ['ping', 'iputils-ping'],
    ['tincd', 'tinc'],
  ],
  start: () =>
    Laboratory.build(async (laboratory) => {
      const network = await twoNodes(laboratory);
      const keys = network.sides.map(() =>
        generateKeyPairSync('rsa', {
          modulusLength: 2048,
          publicKeyEncoding: { type: 'pkcs1', format: 'pem' },
          privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
        }),
      );
      const hosts = network.sides.map(({ address, index }) => tincHost(address, keys[index - 1]!.publicKey));
      const addresses: string[] = [];
      for (const side of [...network.sides].reverse()) {
        startTinc(laboratory, side, hosts, keys[side.index - 1]!.privateKey);
        await laboratory.until('tincd', () => side.node.run('ip', 'link', 'show', 'tinc0') !== '');
        addresses.unshift(bridgePod(side, 'tinc0', POD_MTU));
      }
      await laboratory.reachable(network.sides[0].pod, addresses[1]!);
      return rivalOf(laboratory, network, addresses[1]!);
    }),
};
