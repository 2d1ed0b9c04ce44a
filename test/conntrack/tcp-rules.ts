/**
 * The TCP rules as they are written, for tests that must not read them from the code: one line per kind of segment and
 * direction, columns in the order of `columns`. IV is INVALID, IG passes and changes nothing.
 */
export const columns = ['NO', 'SS', 'SR', 'ES', 'FW', 'CW', 'LA', 'TW', 'CL', 'S2'] as const;

export const rows = [
  { rule: 'CT-017', direction: 0, kind: 'Syn', want: 'SS SS IG IG IG IG IG SS SS S2' },
  { rule: 'CT-018', direction: 0, kind: 'SynAck', want: 'IV IV SR IV IV IV IV IV IV SR' },
  { rule: 'CT-019', direction: 0, kind: 'Fin', want: 'IV IV FW FW LA LA LA TW CL IV' },
  { rule: 'CT-020', direction: 0, kind: 'Ack', want: 'ES IV ES ES CW CW TW TW CL IV' },
  { rule: 'CT-021', direction: 0, kind: 'Rst', want: 'IV CL CL CL CL CL CL CL CL CL' },
  { rule: 'CT-021', direction: 0, kind: 'None', want: 'IV IV IV IV IV IV IV IV IV IV' },
  { rule: 'CT-022', direction: 1, kind: 'Syn', want: 'IV S2 IV IV IV IV IV SS IV S2' },
  { rule: 'CT-023', direction: 1, kind: 'SynAck', want: 'IV SR IG IG IG IG IG IG IG SR' },
  { rule: 'CT-024', direction: 1, kind: 'Fin', want: 'IV IV FW FW LA LA LA TW CL IV' },
  { rule: 'CT-025', direction: 1, kind: 'Ack', want: 'IV IG SR ES CW CW TW TW CL IG' },
  { rule: 'CT-026', direction: 1, kind: 'Rst', want: 'IV CL CL CL CL CL CL CL CL CL' },
  { rule: 'CT-026', direction: 1, kind: 'None', want: 'IV IV IV IV IV IV IV IV IV IV' },
] as const;
