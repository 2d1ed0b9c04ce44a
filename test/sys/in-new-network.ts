import { close } from '../../src/sys/io.ts';
import { createNamespace, inNamespace } from '../../src/sys/namespace.ts';

/** Runs `action` inside a network namespace of its own, which ends when what `action` opened is closed. */
export function inNewNetwork<T>(action: () => T): T {
  const fd = createNamespace('net');
  try {
    return inNamespace(fd, 'net', action);
  } finally {
    close(fd);
  }
}
