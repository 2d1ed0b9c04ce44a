/** The rival: two nodes joined by a veth, the kernel's own VXLAN device and a bridge on each, one pod on each. */
import { execFileSync } from 'node:child_process';

export interface Rival {
  /** Words that run a command in the client's, in the server's pod. */
  readonly client: readonly string[];
  readonly server: readonly string[];
  readonly serverAddress: string;
  end(): void;
}

/** As root; every namespace carries the process number, and `end` removes them. @param mtu IP MTU of the pods. */
export function kernelVxlan(mtu: number): Rival {
  const name = (part: string) => `pw${process.pid}-${part}`;
  const ip = (...words: (string | number)[]) =>
    execFileSync('ip', words.map(String), { stdio: ['ignore', 'ignore', 'inherit'] });
  const all = ['n1', 'n2', 'p1', 'p2'].map(name);
  for (const namespace of all) {
    ip('netns', 'add', namespace);
    ip('-n', namespace, 'link', 'set', 'lo', 'up');
  }
  ip('link', 'add', 'und', 'netns', name('n1'), 'type', 'veth', 'peer', 'name', 'und', 'netns', name('n2'));
  for (const i of [1, 2]) {
    const node = name(`n${i}`);
    const pod = name(`p${i}`);
    const on = (...words: (string | number)[]) => ip('-n', node, ...words);
    on('addr', 'add', `172.16.0.${i}/24`, 'dev', 'und');
    on('link', 'set', 'und', 'mtu', mtu + 50, 'up');
    on('link', 'add', 'br0', 'type', 'bridge');
    on('link', 'set', 'br0', 'up');
    on(
      'link',
      'add',
      'vx',
      'type',
      'vxlan',
      'id',
      42,
      'dstport',
      4789,
      'local',
      `172.16.0.${i}`,
      'remote',
      `172.16.0.${3 - i}`,
      'dev',
      'und',
    );
    on('link', 'set', 'vx', 'master', 'br0', 'up');
    ip('link', 'add', 'pod', 'netns', node, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', pod);
    on('link', 'set', 'pod', 'master', 'br0', 'up');
    ip('-n', pod, 'link', 'set', 'eth0', 'mtu', mtu, 'up');
    ip('-n', pod, 'addr', 'add', `10.244.9.${i}/24`, 'dev', 'eth0');
  }
  return {
    client: ['ip', 'netns', 'exec', name('p1')],
    server: ['ip', 'netns', 'exec', name('p2')],
    serverAddress: '10.244.9.2',
    end: () => {
      for (const namespace of all) ip('netns', 'del', namespace);
    },
  };
}
