/** SVG as text: elements, escaped; and how much room words take, which only a browser knows exactly. */

/** Fonts of Windows, macOS and Linux, in this order, that look alike. */
export const FONTS = 'Helvetica, Arial, "Liberation Sans", "DejaVu Sans", sans-serif';

/** Widths of the widest of `FONTS`, in parts of the font's size: a label may get more room than it needs, never less. */
const NARROW = 0.42;
const ORDINARY = 0.64;
const WIDE = 1;

type Attributes = Readonly<Record<string, string | number>>;

/** @param content markup, already escaped: elements, or `escapeText` of words. */
export function element(name: string, attributes: Attributes, ...content: readonly string[]): string {
  const written = Object.entries(attributes).map(([key, value]) => ` ${key}="${attributeText(value)}"`);
  const start = `<${name}${written.join('')}`;
  return content.length === 0 ? `${start}/>` : `${start}>${content.join('')}</${name}>`;
}

/** Words as XML 1.0 may hold them: markup escaped, characters that XML forbids (section 2.2) replaced. */
export function escapeText(text: string): string {
  return [...text]
    .map((character) => (isXmlCharacter(character.codePointAt(0)!) ? character : '\ufffd'))
    .join('')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}

/** Room for a text in one line, in the unit of `size`, at most. */
export function textWidth(text: string, size: number): number {
  let width = 0;
  for (const character of text) {
    if (/[ fijlrtI1.,:;!'|()[\]/-]/.test(character)) width += NARROW;
    else width += /[mwMW@%]/.test(character) || character > '\u02ff' ? WIDE : ORDINARY;
  }
  return width * size;
}

/** Lines no wider than `room`, cut between words where there are any. */
export function wrapText(text: string, size: number, room: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/).filter((part) => part !== '')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (line === '' || textWidth(longer, size) <= room) line = longer;
    else {
      lines.push(line);
      line = word;
    }
  }
  if (line !== '') lines.push(line);
  return lines.map((whole) => shorten(whole, size, room));
}

/** The text, or as much of its beginning as there is room for. */
export function shorten(text: string, size: number, room: number): string {
  if (textWidth(text, size) <= room) return text;
  const characters = [...text];
  while (characters.length > 0 && textWidth(`${characters.join('')}…`, size) > room) characters.pop();
  return `${characters.join('')}…`;
}

/** A position: SVG needs no more than hundredths. */
function place(value: number): number {
  return Math.round(value * 100) / 100;
}

function attributeText(value: string | number): string {
  return escapeText(typeof value === 'number' ? String(place(value)) : value);
}

function isXmlCharacter(code: number): boolean {
  if (code < 0x20) return code === 0x9 || code === 0xa || code === 0xd;
  return code <= 0xd7ff || (code >= 0xe000 && code <= 0xfffd) || code >= 0x1_0000;
}
