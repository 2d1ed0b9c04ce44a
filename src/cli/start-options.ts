/** The flags that `up` and `run` share. */
import type { readArguments } from './arguments.ts';

export const startOptions = {
  name: { type: 'string' },
  filename: { type: 'string', short: 'f', multiple: true, default: [] as string[] },
  nodes: { type: 'string' },
  mtu: { type: 'string' },
  offload: { type: 'string' },
  underlay: { type: 'string' },
  without: { type: 'string' },
  'strict-checksums': { type: 'boolean', default: false },
  'allow-run': { type: 'boolean', default: false },
} as const;

export type StartValues = ReturnType<typeof readArguments<typeof startOptions>>['values'];
