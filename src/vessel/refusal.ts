/** What the user or the machine must change; shown without a stack. The message says what to do. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
}
