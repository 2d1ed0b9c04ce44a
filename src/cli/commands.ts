/** Every command, with the line that `podwire help` shows. A command's file is loaded when it is called. */
export interface CommandModule {
  readonly usage: string;
  /** Resolves to the exit code. */
  run(argv: readonly string[]): Promise<number>;
}

export interface Command {
  readonly name: string;
  readonly summary: string;
  load(): Promise<CommandModule>;
}

export const commands: readonly Command[] = [
  { name: 'up', summary: 'start a cluster from YAML', load: () => import('./up.ts') },
  { name: 'run', summary: 'a cluster for one command: start, run it, end', load: () => import('./run.ts') },
  { name: 'down', summary: 'end a cluster', load: () => import('./down.ts') },
  { name: 'apply', summary: 'make objects be as YAML says', load: () => import('./apply.ts') },
  { name: 'delete', summary: 'delete objects', load: () => import('./delete.ts') },
  { name: 'get', summary: 'list objects, or watch them', load: () => import('./get.ts') },
  { name: 'describe', summary: 'an object, with what happened to it', load: () => import('./describe.ts') },
  { name: 'logs', summary: "what a pod's workload has said", load: () => import('./logs.ts') },
  { name: 'exec', summary: 'run a program in a pod or on a node', load: () => import('./exec.ts') },
  { name: 'capture', summary: 'packets at any hop, with what became of them', load: () => import('./capture.ts') },
  { name: 'replay', summary: 'what a cluster would do with a captured packet', load: () => import('./replay.ts') },
  {
    name: 'trace',
    summary: "a packet's story, hop by hop, with the rule that decided",
    load: () => import('./trace.ts'),
  },
  { name: 'observe', summary: 'flows as they begin, end and fail', load: () => import('./observe.ts') },
  {
    name: 'check',
    summary: 'do policies let through what they should, and nothing else',
    load: () => import('./check.ts'),
  },
  { name: 'conntrack', summary: 'list the connections that nodes know', load: () => import('./conntrack.ts') },
  { name: 'link', summary: 'delay and lose packets between nodes', load: () => import('./link.ts') },
  {
    name: 'bench',
    summary: 'throughput, latency and packet rate between pods, and their limit',
    load: () => import('./bench.ts'),
  },
  { name: 'doctor', summary: 'what this machine allows, and what to do for more', load: () => import('./doctor.ts') },
];

export function overview(): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  const lines = commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  return `Usage: podwire COMMAND [flags]

A Kubernetes cluster network on this machine, with real packets.

${lines.join('\n')}

\`podwire COMMAND --help\` tells the flags.
`;
}
