import { describe, expect, test } from 'vitest';
import { ecnDecapsulate, innerEcn } from '../../src/encap/ecn.ts';
import { CONTINUE, Drop } from '../../src/packet/outcome.ts';
import { validate } from '../../src/packet/validate.ts';
import { buildFrame, type FrameSpec, frameBytes, newPacket, writeFrame } from '../support/frames.ts';

const Mark = { NotEct: 0b00, Ect1: 0b01, Ect0: 0b10, Ce: 0b11 } as const;
type MarkName = keyof typeof Mark;

/** RFC 6040 figure 4: the rows are the arriving inner header, the columns the arriving outer header. */
const figure4: Readonly<Record<MarkName, Readonly<Record<MarkName, MarkName | 'drop'>>>> = {
  NotEct: { NotEct: 'NotEct', Ect0: 'NotEct', Ect1: 'NotEct', Ce: 'drop' },
  Ect0: { NotEct: 'Ect0', Ect0: 'Ect0', Ect1: 'Ect1', Ce: 'Ce' },
  Ect1: { NotEct: 'Ect1', Ect0: 'Ect1', Ect1: 'Ect1', Ce: 'Ce' },
  Ce: { NotEct: 'Ce', Ect0: 'Ce', Ect1: 'Ce', Ce: 'Ce' },
};

const kinds: readonly { name: string; spec: FrameSpec }[] = [
  { name: 'IPv4', spec: { payload: 5 } },
  { name: 'IPv6', spec: { source: 'fd00::1', destination: 'fd00::2', payload: 5 } },
  { name: 'an IPv4 superframe', spec: { payload: 50, gsoSize: 20 } },
];
const pkt = newPacket();

for (const { name, spec } of kinds) {
  describe(`TN-017 decapsulation of ${name} (RFC 6040 figure 4)`, () => {
    for (const [inner, columns] of Object.entries(figure4)) {
      for (const [outer, want] of Object.entries(columns)) {
        test(`inner ${inner}, outer ${outer}: ${want}`, () => {
          for (const [innerDscp, outerDscp] of [
            [0, 0],
            [0xb8, 0],
            [0xfc, 0xfc],
          ] as const) {
            const before = { ...spec, tos: innerDscp | Mark[inner as MarkName] };
            writeFrame(pkt, before);
            validate(pkt);
            pkt.outerTos = outerDscp | Mark[outer as MarkName];
            expect(innerEcn(pkt)).toBe(Mark[inner as MarkName]);
            expect(ecnDecapsulate(pkt)).toBe(want === 'drop' ? Drop.EcnCongestion : CONTINUE);
            const tos = want === 'drop' ? before.tos : innerDscp | Mark[want];
            expect(frameBytes(pkt)).toEqual(buildFrame({ ...spec, tos }));
          }
        });
      }
    }
  });
}
