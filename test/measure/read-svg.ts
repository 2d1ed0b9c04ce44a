/** Reads an SVG document back as elements; strict about XML, so that what it takes, every browser takes. */
export interface Found {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly Found[];
  /** Its own words and those of its children. */
  readonly text: string;
}

interface Open extends Found {
  readonly children: Found[];
  text: string;
}

const entities: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"' };

/** @throws Error where the text is not well-formed, or uses more of XML than plots do. */
export function readSvg(document: string): Found {
  const forbidden = /[^\P{Cc}\t\n\r]|\p{Surrogate}|[\ufffe\uffff]/u.exec(document);
  if (forbidden !== null) throw new Error(`a character that XML forbids at ${forbidden.index}`);
  const root: Open = { name: '', attributes: {}, children: [], text: '' };
  const open = [root];
  for (const [token] of document.matchAll(/<[^>]*>|[^<]+|</g)) {
    const parent = open.at(-1)!;
    if (!token.startsWith('<')) {
      parent.text += decode(token);
    } else if (token.startsWith('</')) {
      if (token !== `</${parent.name}>`) throw new Error(`${token} ends <${parent.name}>`);
      open.pop();
      open.at(-1)!.text += parent.text;
    } else {
      const child = readTag(token);
      parent.children.push(child);
      if (!token.endsWith('/>')) open.push(child);
    }
  }
  if (open.length !== 1) throw new Error(`<${open.at(-1)!.name}> has no end`);
  if (root.children.length !== 1) throw new Error(`${root.children.length} root elements`);
  return root.children[0]!;
}

/** All elements of this name, in the document's order. */
export function all(found: Found, name: string): Found[] {
  return found.children.flatMap((child) => [...(child.name === name ? [child] : []), ...all(child, name)]);
}

function readTag(token: string): Open {
  const tag = /^<([a-z]+)((?:\s[a-zA-Z][a-zA-Z\d-]*="[^"<]*")*)\/?>$/.exec(token);
  if (tag === null) throw new Error(`not a tag: ${token}`);
  const attributes = [...tag[2]!.matchAll(/\s([a-zA-Z\d-]+)="([^"]*)"/g)].map(([, key, value]) => [
    key!,
    decode(value!),
  ]);
  return { name: tag[1]!, attributes: Object.fromEntries(attributes), children: [], text: '' };
}

function decode(text: string): string {
  return text.replaceAll(/&([a-z]*;?)/g, (found, entity: string) => {
    const character = entities[entity.replace(';', '')];
    if (!entity.endsWith(';') || character === undefined) throw new Error(`no entity: ${found}`);
    return character;
  });
}
