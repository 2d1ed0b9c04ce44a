/**
 * A *judgement*: what a policy had before it when it denied a packet, in words: the key that it judged (the client's own
 * address, and destination and port after Service translation), then the direction, then the revision of the policies.
 * Recordings keep it, so that others can say later which rule it was.
 */
import { KEY_WORDS } from './flow-key.ts';

export const JUDGED_DIRECTION = KEY_WORDS;
export const JUDGED_REVISION = KEY_WORDS + 1;
export const JUDGEMENT_WORDS = KEY_WORDS + 2;
