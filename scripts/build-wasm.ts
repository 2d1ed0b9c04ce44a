/** Compiles src/packet/checksum.wat into src/packet/checksum-wasm.ts. Run by hand after a change; a test compares. */
import { readFileSync, writeFileSync } from 'node:fs';
import wabt from 'wabt';

const source = new URL('../src/packet/checksum.wat', import.meta.url);
const target = new URL('../src/packet/checksum-wasm.ts', import.meta.url);

export async function compile(): Promise<string> {
  const module = (await wabt()).parseWat('checksum.wat', readFileSync(source, 'utf8'), {
    simd: true,
    bulk_memory: true,
  });
  return Buffer.from(module.toBinary({}).buffer).toString('base64');
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const lines = (await compile()).match(/.{1,100}/g) ?? [];
  const body = lines.map((line) => `  '${line}'`).join(' +\n');
  writeFileSync(
    target,
    `/** \`checksum.wat\`, compiled by scripts/build-wasm.ts. Base64, so that the core needs no file beside it. */\nexport const checksumWasm =\n${body};\n`,
  );
}
