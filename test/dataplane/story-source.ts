/** The stories as text: their stages, in the order of the lines, are what documents and tests speak of. */
import { readFileSync } from 'node:fs';

const folder = new URL('../../src/dataplane/', import.meta.url);

export interface Stage {
  readonly name: string;
  /** The call as it stands in the source. */
  readonly call: string;
}

export function storyText(name: string): string {
  return readFileSync(new URL(`${name}.ts`, folder), 'utf8');
}

/** The stages of a story's `a(…) || b(…) || …`, in order. */
export function stagesOf(text: string): Stage[] {
  const chain = /(?:const place =|return \()([^;]*\|\|[^;]*);/.exec(text)?.[1];
  if (chain === undefined) throw new Error('no chain of stages');
  return chain
    .replaceAll(/\/\/.*$/gm, '')
    .split('||')
    .flatMap((part) => {
      const name = /^\s*(\w+)\(/.exec(part)?.[1];
      return name === undefined ? [] : [{ name, call: wholeCall(part.trim()) }];
    });
}

/** From the name to the parenthesis that closes the call. */
function wholeCall(text: string): string {
  let depth = 0;
  for (const [i, char] of [...text].entries()) {
    if (char === '(') depth++;
    if (char === ')' && --depth === 0) return text.slice(0, i + 1);
  }
  throw new Error(`not a call: ${text}`);
}
