/** How much random tests do: a few seconds in all as it is. `scripts/test` takes more; a million takes minutes. */
export const PACKETS = Number(process.env['PODWIRE_PACKETS'] ?? 30_000);
